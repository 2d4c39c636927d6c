#include "libwrap.h"

#include "wire.h"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace safetp::conformance {

namespace {

void put_scene(MessageWriter& writer, const Scene& scene)
{
    writer.put(static_cast<long>(scene.allow_kind));
    writer.put(static_cast<long>(scene.deny_kind));
    writer.put(scene.allow);
    writer.put(scene.deny);
    writer.put(static_cast<long>(scene.files.size()));
    for (const auto& [name, text] : scene.files) {
        writer.put(name);
        writer.put(text);
    }
    writer.put(static_cast<long>(scene.netgroups.size()));
    for (const auto& [name, members] : scene.netgroups) {
        writer.put(name);
        writer.put(members);
    }
}

void put_question(MessageWriter& writer, const Question& question)
{
    for (const std::string& text : {question.daemon, question.client_addr, question.client_name, question.client_user,
             question.server_addr, question.server_name})
        writer.put(text);
    writer.put(static_cast<long>(question.client_port));
    writer.put(static_cast<long>(question.server_port));
    for (const bool flag : {question.resident, question.hosts_ctl, question.bad_socket, question.keep_state})
        writer.put(static_cast<long>(flag));
}

Answer read_answer(MessageReader& reader)
{
    Answer answer;
    answer.outcome = reader.text();
    if (std::string matched = reader.text(); !matched.empty())
        answer.matched = std::move(matched);
    answer.lookups = reader.texts();
    answer.diag = reader.texts();
    answer.events = reader.texts();
    for (long count = reader.number(); count > 0; --count) {
        const std::string name = reader.text();
        answer.effects[name] = reader.text();
    }
    return answer;
}

} // namespace

Libwrap::Libwrap(std::string driver) : driver_(std::move(driver))
{
    std::signal(SIGPIPE, SIG_IGN); // a driver that died shows as a failed write
    start();
}

Libwrap::~Libwrap() { stop(); }

void Libwrap::start()
{
    int questions[2], answers[2];
    if (::pipe2(questions, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0)
        return;
    process_ = ::fork();
    if (process_ == 0) {
        ::dup2(questions[0], 0);
        ::dup2(answers[1], 1);
        ::execl(driver_.c_str(), driver_.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(questions[0]);
    ::close(answers[1]);
    to_ = questions[1];
    from_ = answers[0];
}

std::string Libwrap::stop()
{
    ::close(to_);
    ::close(from_);
    int status = 0;
    if (process_ > 0)
        ::waitpid(process_, &status, 0);
    process_ = -1;
    if (WIFSIGNALED(status))
        return driver_ + " was ended by signal " + std::to_string(WTERMSIG(status));
    return driver_ + " ended with status " + std::to_string(WEXITSTATUS(status));
}

std::expected<std::vector<Answer>, std::string> Libwrap::ask(const Scene& scene, const std::vector<Question>& questions)
{
    MessageWriter writer;
    put_scene(writer, scene);
    writer.put(static_cast<long>(questions.size()));
    for (const Question& question : questions)
        put_question(writer, question);
    MessageReader reader;
    if (!writer.send(to_) || !reader.receive(from_)) {
        std::string reason = stop();
        start();
        return std::unexpected(std::move(reason));
    }
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < questions.size(); ++i)
        answers.push_back(read_answer(reader));
    return answers;
}

} // namespace safetp::conformance
