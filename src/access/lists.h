// Whether a rule's two lists match a request: words, EXCEPT, daemon, port, user@host. hosts_access(5).
#pragma once

#include "access/evaluation.h"
#include "access/image.h"
#include "access/journal.h"

#include <map>
#include <optional>
#include <utility>
#include <variant>

namespace safetp::access {

enum class Match {
    no,
    yes,
    pending, ///< something has to be found out first: Matcher::pending()
    crash,   ///< strict: libwrap would have crashed here (B3, B4)
};

/// Remembers what was found out, so that a rule can simply be gone through again after an answer.
class Matcher {
public:
    Matcher(const image::View& image, Request& request, Journal& journal) : image_(image), request_(request), journal_(journal)
    {
    }

    Match match(const Rule& rule, TableName table);
    Match match_daemons(std::string_view daemons) { return match_list(daemons, &Matcher::match_daemon); }

    /// Whether the address, and what else is known already, makes the list match: nobody is asked.
    bool match_what_is_told(std::string_view clients) { return match_list(clients, &Matcher::match_told) == Match::yes; }

    const std::variant<LookUp, AskNetgroup>& pending() const { return pending_; }
    void answer_netgroup(bool member);

    /// A name, address or user for patterns and for %n, %u and their like; null: pending() has to be answered first.
    const std::string* fact(Fact fact);

    unsigned ident_seconds = 0; ///< LookUp::seconds of the next question for a user

private:
    enum class Side { client, server };

    Match match_list(std::string_view list, Match (Matcher::*match_word)(std::string_view));
    Match match_daemon(std::string_view word);
    Match match_client(std::string_view word);
    Match match_told(std::string_view word);
    bool is_told_host(std::string_view pattern) const;
    Match match_host(std::string_view pattern, Side side, int depth = 0);
    Match match_host_text(std::string_view pattern, Side side);
    Match match_net(std::string_view pattern, std::size_t slash, Side side);
    Match match_netgroup(std::string_view group, Side side);
    Match match_file(std::string_view path, Side side, int depth);
    Match match_named_file(std::string_view path, Side side, int depth);
    Match match_words_of_file(const image::File& file, Side side, int depth);
    std::optional<Match> match_word_of_file(std::string_view word, Side side, int depth);
    Match broken(std::string_view complaint);
    bool doubtful(std::string_view pattern, std::string_view complaint);
    void trace(Trace::Kind kind, std::string_view text, bool matched);

    const std::string& address(Side side) const
    {
        return side == Side::client ? request_.client_address : request_.server_address;
    }
    const std::string* name(Side side) { return fact(side == Side::client ? Fact::client_name : Fact::server_name); }
    bool safe() const { return image_.reading() == Reading::safe; }
    bool refusing() const;

    const image::View& image_;
    Request& request_;
    Journal& journal_;
    const Rule* rule_ = nullptr;
    TableName table_ = TableName::allow;
    bool broken_ = false;         ///< safe: a pattern file of the word cannot be used
    bool excepted_ = false; ///< the word stands in a list that takes back what matched
    std::variant<LookUp, AskNetgroup> pending_;
    std::map<std::string_view, bool> files_; ///< safe: files of the word at hand, in the image; true: one is being gone through
    std::map<std::pair<std::string, std::string>, bool> netgroups_;
};

} // namespace safetp::access
