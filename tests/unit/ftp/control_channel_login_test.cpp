// USER, PASS and ACCT: who is logged in follows from what the raw ftpd says.
#include "ftp/dialogue.h"

DIALOGUE(Login, UserAndPassword, R"(
    do login)")

DIALOGUE(Login, WithoutPassword, R"(
    do tls
    C> USER anna
    S< USER anna
    S> 230 No password needed
    C< 230 No password needed
    action LoggedIn anna)")

DIALOGUE(Login, Code232WithoutPassword, R"(
    do tls
    C> USER anna
    S< USER anna
    S> 232 In
    C< 232 In
    action LoggedIn anna)")

DIALOGUE(Login, SpacesInNamesAndPasswordsStay, R"(
    do tls
    C> USER  anna\s
    S< USER  anna\s
    S> 331 Password?
    C< 331 Password?
    C> PASS  a b \s
    S< PASS  a b \s
    S> 230 In
    C< 230 In
    action LoggedIn  anna\s)")

DIALOGUE(Login, WithAccount, R"(
    do tls
    do user
    C> PASS x
    S< PASS x
    S> 332 Account?
    C< 332 Account?
    C> ACCT 42
    S< ACCT 42
    S> 230 In
    C< 230 In
    action LoggedIn anna)")

DIALOGUE(Login, WrongAccountIsAFailure, R"(
    do tls
    C> USER anna
    S< USER anna
    S> 332 Account?
    C< 332 Account?
    C> ACCT 42
    S< ACCT 42
    S> 530 No
    C< 530 No
    action LoginFailed anna)")

DIALOGUE(Login, AccountForOneCommandLater, R"(
    do login
    C> ACCT 42
    S< ACCT 42
    S> 530 No
    C< 530 No
    C> CCC
    C< 534 *)")

DIALOGUE(Login, LongWelcome, R"(
    do tls
    do user
    C> PASS secret
    S< PASS secret
    S> 230-Welcome
    C< 230-Welcome
    S> 530 is only text
    C< 530 is only text
    S> 230 In
    C< 230 In
    action LoggedIn anna)")

DIALOGUE(Login, FailureIsReportedAndCanBeRepeated, R"(
    do tls
    do user
    C> PASS wrong
    S< PASS wrong
    S> 530 Login incorrect
    C< 530 Login incorrect
    action LoginFailed anna
    do user
    C> PASS secret
    S< PASS secret
    S> 230 In
    C< 230 In
    action LoggedIn anna)")

DIALOGUE(Login, TooManyFailuresEnd, R"(
    policy login_failures=2
    do tls
    C> USER anna
    S< USER anna
    S> 530 No
    C< 530 No
    action LoginFailed anna
    C> USER bob
    S< USER bob
    S> 530 No
    C< 530 No
    C< 421 *
    action LoginFailed bob
    action End too many login failures)")

DIALOGUE(Login, ServerClosesAfterFailures, R"(
    do tls
    do user
    C> PASS x
    S< PASS x
    S> 421 Too many tries
    C< 421 Too many tries
    action LoginFailed anna
    action End raw ftpd closed)")

DIALOGUE(Login, TakesTooLong, R"(
    do tls
    event login_timeout
    C< 421 *
    action End login timed out)")

DIALOGUE(Login, PassBehindAUserThatNeededNone, R"(
    do tls
    C> USER anna
    S< USER anna
    S> 230 In
    C< 230 In
    action LoggedIn anna
    C> PASS x
    S< PASS x
    S> 503 You are already logged in
    C< 503 You are already logged in
    do epsv_clear)")

DIALOGUE(Login, PassTwice, R"(
    policy login_failures=1 ccc=yes
    do login
    C> PASS secret
    S< PASS secret
    S> 503 You are already logged in
    C< 503 You are already logged in
    C> PASS secret
    S< PASS secret
    S> 530 You are already logged in
    C< 530 You are already logged in
    C> PASS secret
    S< PASS secret
    S> 230 Already logged in
    C< 230 Already logged in
    C> CCC
    C< 200 *
    action EndTls)")

DIALOGUE(Login, UserThatIsRefusedToWhomIsInIsNoFailure, R"(
    policy login_failures=1 ccc=yes
    do login
    C> USER bob
    S< USER bob
    S> 530 Cannot change to another user
    C< 530 Cannot change to another user
    C> CCC
    C< 200 *
    action EndTls)")

// With some ftpds he stays logged in until PASS; the others refuse the transfer.
DIALOGUE(Login, ATransferSaysThatSomebodyIsIn, R"(
    policy ccc=yes
    do login
    C> USER root
    S< USER root
    S> 331 Password?
    C< 331 Password?
    C> CCC
    C< 503 *
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected
    S> 150 ok
    C< 150 ok
    event failed client_broken
    action AbortData
    C< 426 *
    S> 426 cut
    action TransferEnded download RETR a cut
    C> CCC
    C< 200 *
    action EndTls)")

DIALOGUE(Login, AnotherUsersPasswordIsAFailure, R"(
    policy login_failures=1
    do login
    C> USER root
    S< USER root
    S> 331 Password?
    C< 331 Password?
    C> PASS guess
    S< PASS guess
    S> 530 No
    C< 530 No
    C< 421 *
    action LoginFailed root
    action End too many login failures)")

DIALOGUE(Login, PassWithoutUserIsABadCommand, R"(
    policy bad_commands=2
    do tls
    C> PASS x
    S< PASS x
    S> 503 Login with USER first
    C< 503 Login with USER first
    C> PASS x
    S< PASS x
    S> 503 Login with USER first
    C< 503 Login with USER first
    C< 421 *
    action End too many bad commands)")

// The raw ftpd still waits for the password of the user before.
DIALOGUE(Login, ARefusedUserDoesNotTakeThePassword, R"(
    do tls
    do user
    C> USER root
    S< USER root
    S> 530 No
    C< 530 No
    action LoginFailed root
    C> PASS secret
    S< PASS secret
    S> 230 in
    C< 230 in
    action LoggedIn anna)")
