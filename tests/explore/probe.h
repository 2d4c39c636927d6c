// The only way to a dialogue's inside: copies it, and folds its state. It lists every member by name, so that a new one does
// not compile until somebody has decided whether it belongs to the state.
#pragma once

#include "digest.h"
#include "ftp/control_channel.h"

#include <string>

namespace safetp::ftp {

struct DialogueProbe {
    static ControlChannel copy(const ControlChannel& channel) { return channel; } // NOLINT: a copy is what is wanted
    static void fold(const ControlChannel& channel, explore::Folder& into);
    /// In a few words, for the picture: "transfer, logged in, private".
    static std::string phase(const ControlChannel& channel);

private:
    static void fold_command(const Command& command, explore::Folder& into);
    static void fold_transfer(const std::optional<Transfer>& transfer, explore::Folder& into);
};

} // namespace safetp::ftp
