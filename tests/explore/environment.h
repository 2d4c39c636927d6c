// The model of everything around a dialogue: what the client has not been answered, what the raw ftpd was asked, what the shell
// was told to do. It knows which occurrences are possible now and what they mean; what came out of the dialogue it learns from
// judge.h.
#pragma once

#include "alphabet.h"
#include "digest.h"
#include "ftp/actions.h"
#include "server.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace safetp::explore {

/// A few values in order, held in place.
template <typename T, std::size_t kMost>
class Few {
public:
    bool is_full() const { return size_ == kMost; }
    bool is_empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    const T& front() const { return items_[0]; }
    const T& back() const { return items_[size_ - 1]; }
    void push_back(const T& item) { items_.at(size_++) = item; }
    void pop_back() { --size_; }
    void pop_front()
    {
        for (std::size_t i = 1; i < size_; ++i)
            items_[i - 1] = items_[i];
        --size_;
    }
    const T* begin() const { return items_.data(); }
    const T* end() const { return items_.data() + size_; }

private:
    std::array<T, kMost> items_{};
    std::uint8_t size_ = 0;
};

struct Environment {
    enum class Tls : std::uint8_t { clear, starting, secure, cleared };
    /// One side of a data connection that is prepared.
    enum class Port : std::uint8_t { none, wanted, open, announced };
    enum class Told : std::uint8_t { nothing, success, failure };

    struct Transfer {
        ftp::Direction direction = ftp::Direction::download;
        bool is_expected = false; ///< ExpectTransfer was put out
        bool has_started = false; ///< StartTransfer
        bool preliminary_seen = false;
        bool data_over = false;
        bool is_finishing = false; ///< FinishDownload
        bool is_delivered = false;
        bool has_failed = false;
        bool server_broke_off = false; ///< and says why
        bool was_aborted = false;      ///< AbortData
        Told by_server = Told::nothing;
        Told to_client = Told::nothing;
    };

    // the client
    Few<std::uint8_t, 8> unanswered; ///< its lines that have had no final reply
    bool was_greeted = false;
    int inside_code = 0; ///< of a reply that it has not read to its end
    Tls tls = Tls::clear;
    bool is_private = false; ///< PROT, as it was told

    // the raw ftpd
    Few<Question, 3> asked;               ///< and not finally answered
    std::uint8_t inside_reply = kNoReply; ///< of several lines, by number
    std::uint8_t last_final = kNoReply;   ///< may be said again
    ServerLogin login;
    User last_user = User::nobody; ///< of the last USER that was not refused
    bool has_greeted = false;
    bool server_is_gone = false;
    bool has_repeated = false;  ///< a late repetition has come: from there on client and raw ftpd may be out of step
    bool more_has_come = false; ///< of the raw ftpd's: the dialogue is not asked to go on

    // the shell
    Port client_port = Port::none;
    Port server_port = Port::none;
    bool auth_is_asked = false;
    bool auth_is_accepted = false;
    std::optional<Transfer> transfer;
    bool is_draining = false;
    bool has_ended = false;

    // of the occurrence under way only
    bool login_was_refused = false;
    bool stat_came_in_transfer = false;
    bool nobody_waited = false; ///< for the reply that came

    static constexpr std::uint8_t kNoReply = 0xff;

    void fold(Folder& into) const;
};

class Surroundings {
public:
    explicit Surroundings(const Configuration& configuration);

    const Alphabet& alphabet() const { return alphabet_; }
    Environment initial() const;
    bool is_possible(const Environment& environment, const ftp::ControlChannel& channel, const Occurrence& occurrence) const;
    /// It happens, as the environment sees it; what the dialogue is to be told.
    Input happen(Environment& environment, const Occurrence& occurrence) const;

private:
    static bool ends_as_pure_ftpd_does(const Environment& environment, const ServerReply& reply);
    bool may_reply(const Environment& environment, const ServerReply& reply) const;
    bool may_fail(const Environment& environment) const;
    void reply(Environment& environment, std::uint8_t index) const;
    bool may_send(const Environment& environment, const Occurrence& occurrence) const;

    const Configuration& configuration_;
    Alphabet alphabet_;
    struct Texts {
        std::string once, again, open;
    };
    std::vector<Texts> texts_; ///< of the raw ftpd's replies
};

} // namespace safetp::explore
