// What the options of a rule do to the connection and to the process that is about to become the real daemon. hosts_options(5).
#pragma once

#include "access/evaluation.h"

#include <optional>
#include <sys/types.h>

namespace safetp::wrapper {

/// In a process for one connection only: umask, nice, setenv and the identity are the process's, for good.
class Effects {
public:
    explicit Effects(int connection) : connection_(connection) {} ///< borrows it

    /// 0, or the errno that the evaluation is told; ENOENT for a user or group that does not exist.
    int apply(const access::Effect& effect);

    /// An identity that was asked for (and not to be checked only) and not taken: whoever goes on would go on as root.
    bool has_identity_failed() const { return identity_failed_; }

private:
    int apply_one(const access::ApplyKeepalive&) const;
    int apply_one(const access::ApplyLinger& linger) const;
    int apply_one(const access::ApplyUmask& mask) const;
    int apply_one(const access::ApplyNice& nice) const;
    int apply_one(const access::ApplySetenv& variable) const;
    int apply_one(const access::ApplyUser& user);
    int apply_one(const access::ApplyGroup& group);
    int apply_one(const access::SendBanner& banner) const;
    int become_group(const std::string& name, bool check_only);
    int become_user(const std::string& name, bool check_only);

    int connection_;
    std::optional<gid_t> group_; ///< set by `group`, which stands before `user`
    bool identity_failed_ = false;
};

} // namespace safetp::wrapper
