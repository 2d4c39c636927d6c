// Making the connection with a server safe before anything of the client's is said on it (RFC 4217 sections 4 to 9): greeting,
// AUTH TLS, handshake, PBSZ 0, PROT P. Pure: lines in, lines and a verdict out.
//
// What a server says in FEAT is not asked for: it is said in clear, where anybody may strike AUTH out. AUTH is simply tried.
#pragma once

#include "ftp/reply.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace safetp::ftp {

class ServerSecurity {
public:
    enum class State : std::uint8_t {
        waiting,      ///< for the server's next line
        starting_tls, ///< the next bytes are the handshake's; then on_tls_started
        secure,       ///< the control connection and all data connections to come
        clear,        ///< AUTH was refused, and may_be_clear: the connection may be used as it is
        failed,       ///< see obstacle()
    };
    enum class Obstacle : std::uint8_t {
        none,
        no_ftp,          ///< what came is no reply
        refused,         ///< the server does not want us: 421 and the like in place of 220; words() are its own
        auth_refused,    ///< it has no TLS, or somebody says so in its place
        closed_at_auth,  ///< the connection ended where AUTH's reply was due
        plaintext_after_auth, ///< bytes behind AUTH's reply: somebody puts words into the secure session's mouth
        closed,          ///< elsewhere
        out_of_step,     ///< a reply that nobody asked for, or that cannot answer what was asked
        prot_refused,    ///< TLS for the control connection only
    };

    ServerSecurity(bool implicit_tls, bool may_be_clear);

    void on_line(std::string_view line); ///< without its end; only while waiting
    void on_line_too_long() { fail(Obstacle::no_ftp); }
    void on_end();
    void on_plaintext_after_auth() { fail(Obstacle::plaintext_after_auth); }
    void on_tls_started();

    State state() const { return state_; }
    Obstacle obstacle() const { return obstacle_; }
    /// A line for the server, with CRLF. Only when all that has come from it was heard: a line that comes before the question
    /// was taken is no answer to it, and ends all.
    std::string take_output();
    const std::string& greeting() const { return greeting_; } ///< the 220, all its lines with CRLF
    const std::string& words() const { return words_; }       ///< first line of the server's reply that decided; may be empty
    /// The implicit kind begins under TLS, so that even the greeting is safe.
    bool is_awaiting_auth() const { return asked_ == Asked::auth || asked_ == Asked::old_auth; }

private:
    enum class Asked : std::uint8_t { greeting, auth, old_auth, pbsz, prot };

    void fail(Obstacle obstacle);
    void ask(Asked what, std::string_view line);
    void on_final(int code);
    void on_auth_final(int code);
    void on_pbsz_final(int code);
    void on_prot_final(int code);

    bool implicit_tls_;
    bool may_be_clear_;
    State state_;
    Obstacle obstacle_ = Obstacle::none;
    Asked asked_ = Asked::greeting;
    ReplyReader reader_;
    std::size_t reply_bytes_ = 0;
    std::string greeting_;
    std::string words_;
    std::string output_;
};

} // namespace safetp::ftp
