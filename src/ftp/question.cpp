#include "ftp/question.h"

#include "ftp/reply.h"

namespace safetp::ftp {

namespace {

bool says_that_data_moves(int code) { return code == 125 || code == 150; }

// Whatever it is that was asked, these answer something else: login, QUIT, AUTH, a data port, a transfer.
bool has_a_question_of_its_own(int code)
{
    switch (code) {
    case 220: case 221: case 225: case 226: case 227: case 228: case 229: case 230: case 231: case 232: case 234: return true;
    default: return code >= 331 && code <= 336;
    }
}

bool is_preliminary_to(Question question, int code)
{
    switch (question) {
    case Question::greeting:
    case Question::transfer: return true;
    case Question::relayed: return !says_that_data_moves(code); // SITE and the like may take their time
    default: return false;
    }
}

} // namespace

bool can_answer(Question question, int code)
{
    if (question == Question::own_noop)
        return code == 200 || code == 421 || code == 500 || code == 502; // other refusals are late words about the transfer
    if (is_negative(code))
        return true;
    if (is_preliminary(code))
        return is_preliminary_to(question, code);
    switch (question) {
    case Question::nothing: return false;
    case Question::greeting: return true; // what is no 220 is refused as a greeting
    case Question::relayed: return !has_a_question_of_its_own(code);
    case Question::user: return code == 230 || code == 232 || code == 331 || code == 332 || code == 336;
    case Question::pass: return code == 202 || code == 230 || code == 232 || code == 332;
    case Question::acct: return code == 202 || code == 230 || code == 232;
    case Question::quit: return is_positive(code);
    case Question::host: return code == 200 || code == 202 || code == 220;
    case Question::feat: return code == 211;
    case Question::own_noop: return false; // above
    case Question::type:
    case Question::port: return code == 200;
    case Question::epsv: return code == 229;
    case Question::pasv: return code == 227;
    case Question::transfer: return code == 225 || code == 226 || code == 250;
    }
    return false;
}

} // namespace safetp::ftp
