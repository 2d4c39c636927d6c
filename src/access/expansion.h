// % sequences. hosts_access(5), "% EXPANSIONS".
#pragma once

#include "access/evaluation.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safetp::access {

/// libwrap's room for an expanded value, and for a line of a banner.
inline constexpr std::size_t kExpansionRoom = 8192;
inline constexpr std::size_t kBannerRoom = 2 * kExpansionRoom;

/// Expands one text from left to right and stops where something has to be looked up. It goes on from there, for what stands
/// before saw the request as it was: %c has no name if only a later %n makes one known.
class Expander {
public:
    /// `in_place`: strict; libwrap cleans what it inserts where it is stored, and later rules see it cleaned.
    Expander(std::string text, std::size_t room, bool in_place) : text_(std::move(text)), room_(room), in_place_(in_place) { }

    enum class State { done, pending, overflow };

    State run(Request& request);
    Fact missing() const { return missing_; } ///< after pending
    const std::string& result() const { return result_; }
    std::vector<std::string> take_complaints() { return std::exchange(complaints_, {}); }

private:
    bool insert(char letter, Request& request);
    bool insert_fact(Request& request, Fact fact);
    void insert_cleaned(std::string& value);

    std::string text_;
    std::size_t room_;
    bool in_place_;
    std::size_t position_ = 0;
    std::string result_;
    Fact missing_ = Fact::client_name;
    std::vector<std::string> complaints_;
};

} // namespace safetp::access
