#include "shrink.h"

#include <algorithm>

namespace safetp::conformance {

namespace {

using Differs = std::function<bool(const Exam&)>;

/// Takes pieces out of one text of the exam, halves first and single bytes last. True: something went.
bool shrink_text(
    Exam& exam, std::string& (*text_of)(Exam&, const std::string&), const std::string& name, const Differs& differs)
{
    bool smaller = false;
    for (std::size_t piece = std::max<std::size_t>(text_of(exam, name).size(), 1); piece > 0; piece /= 2) {
        for (std::size_t at = 0; at < text_of(exam, name).size();) {
            Exam attempt = exam;
            text_of(attempt, name).erase(at, piece);
            if (differs(attempt)) {
                exam = std::move(attempt);
                smaller = true;
            } else {
                at += piece;
            }
        }
    }
    return smaller;
}

std::string& allow_text(Exam& exam, const std::string&) { return exam.scene.allow; }
std::string& deny_text(Exam& exam, const std::string&) { return exam.scene.deny; }
std::string& file_text(Exam& exam, const std::string& name) { return exam.scene.files.at(name); }

void drop_questions(Exam& exam, const Differs& differs)
{
    while (exam.questions.size() > 1) {
        Exam attempt = exam;
        attempt.questions.erase(attempt.questions.begin());
        attempt.questions.front().keep_state = false;
        if (!differs(attempt))
            return;
        exam = std::move(attempt);
    }
}

void drop_files(Exam& exam, const Differs& differs)
{
    const auto names = exam.scene.files;
    for (const auto& [name, text] : names) {
        Exam attempt = exam;
        attempt.scene.files.erase(name);
        if (differs(attempt))
            exam = std::move(attempt);
        else
            shrink_text(exam, file_text, name, differs);
    }
    const auto groups = exam.scene.netgroups;
    for (const auto& [name, members] : groups) {
        Exam attempt = exam;
        attempt.scene.netgroups.erase(name);
        if (differs(attempt))
            exam = std::move(attempt);
    }
}

} // namespace

Exam shrink(Exam exam, const Differs& differs)
{
    drop_questions(exam, differs);
    while (true) {
        const bool allow_smaller = shrink_text(exam, allow_text, "", differs);
        const bool deny_smaller = shrink_text(exam, deny_text, "", differs);
        if (!allow_smaller && !deny_smaller)
            break;
    }
    drop_files(exam, differs);
    drop_questions(exam, differs);
    return exam;
}

} // namespace safetp::conformance
