// What must hold of everything that a dialogue puts out: S1 to S10 and more, listed in README.md.
#pragma once

#include "environment.h"

#include <string_view>

namespace safetp::explore {

class Judge {
public:
    /// All must outlive this.
    Judge(const Configuration& configuration, const Alphabet& alphabet, Environment& environment)
        : configuration_(configuration)
        , alphabet_(alphabet)
        , environment_(environment)
    {
    }

    /// Learns what came out, and throws a Violation where it must not have.
    void judge_output(const ftp::Output& output);
    void judge_state(const ftp::ControlChannel& channel, Occurrence::Kind after);

private:
    void require(bool holds, std::string_view property, std::string_view what, std::string_view detail = {}) const;

    /// Only while client and raw ftpd are in step: behind a late repetition a refusal may be another command's.
    void require_in_step(bool holds, std::string_view property, std::string_view what, std::string_view detail = {}) const;

    void judge_server_text(std::string_view text);
    void judge_server_line(std::string_view line, const Question& question);
    bool may_go_to_server(const Question& question) const;
    void judge_client_text(std::string_view text);
    void judge_client_final(std::string_view line);
    void judge_tag(std::string_view line, const ClientLine& answered) const;
    void note_final(const ClientLine& answered, int code);
    void judge_waiting_lines() const;
    void judge_login(const ftp::ControlChannel& channel) const;
    void judge_ports(const ftp::ControlChannel& channel) const;

    void judge(const ftp::StartTls&);
    void judge(const ftp::EndTls&);
    void judge(const ftp::AskForAuth&);
    void judge(const ftp::OpenPassive& action);
    void judge(const ftp::UseActive& action);
    void judge(const ftp::DialServer& action);
    void judge(const ftp::ListenForServer&);
    void judge(const ftp::ExpectTransfer&);
    void judge(const ftp::StartTransfer& action);
    void judge(const ftp::FinishDownload&);
    void judge(const ftp::AwaitEnd&);
    void judge(const ftp::EndData&);
    void judge(const ftp::AbortData&);
    void judge(const ftp::AbortClientData&);
    void judge(const ftp::CloseData&);
    void judge(const ftp::LoggedIn& action);
    void judge(const ftp::LoginFailed&);
    void judge(const ftp::TransferEnded& action);
    void judge(const ftp::Note& action);
    void judge(const ftp::End& action);

    bool is_client_side() const { return configuration_.policy.secure_leg == ftp::SecureLeg::server; }
    bool was_secured() const
    {
        return environment_.tls == Environment::Tls::secure || environment_.tls == Environment::Tls::cleared;
    }

    const Configuration& configuration_;
    const Alphabet& alphabet_;
    Environment& environment_;
};

} // namespace safetp::explore
