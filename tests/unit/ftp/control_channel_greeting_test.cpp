// The beginning of a session: greetings of every kind, and what each policy lets through in clear.
#include "ftp/dialogue.h"

DIALOGUE(Greeting, PassesOneLine, R"(
    waiting greeting
    wants no
    S> 220 Ready
    C< 220 Ready
    waiting client
    wants yes)")

DIALOGUE(Greeting, PassesSeveralLines, R"(
    S> 220-Welcome
    S> 500 this is only text
    S>
    S> 220 Ready
    C< 220-Welcome
    C< 500 this is only text
    C<
    C< 220 Ready)")

DIALOGUE(Greeting, IsNotThe120, R"(
    S> 120 In two minutes
    C< 120 In two minutes
    waiting greeting
    wants no
    S> 220 Ready
    C< 220 Ready)")

DIALOGUE(Greeting, CanBeHidden, R"(
    policy greeting=Hello
    S> 220-FooFTPd 1.2.3
    S> 220 Ready
    C< 220 Hello)")

DIALOGUE(Greeting, BareCode, R"(
    S> 220
    C< 220\s)")

DIALOGUE(Greeting, RefusalReachesTheClient, R"(
    S> 421 Too many users
    C< 421 Too many users
    action Note server-refused
    action End raw ftpd refused)")

DIALOGUE(Greeting, RefusalInSeveralLines, R"(
    S> 421-Too
    S> 421 many
    C< 421-Too
    C< 421 many
    action End raw ftpd refused)")

DIALOGUE(Greeting, LoggedInWithoutLoginIsRefused, R"(
    S> 230 You are in
    C< 421 *
    action End raw ftpd refused)")

DIALOGUE(Greeting, Error500IsRefused, R"(
    S> 500 OOPS: vsftpd: refusing to run
    C< 421 *
    action Note server-refused
    action End raw ftpd refused)")

DIALOGUE(Greeting, Intermediate331IsRefused, R"(
    S> 331 Password
    C< 421 *
    action End raw ftpd refused)")

DIALOGUE(Greeting, NoFtpAtAll, R"(
    S> SSH-2.0-OpenSSH_9.2
    C< 421 *
    action Note server-nonsense
    action End raw ftpd spoke nonsense)")

DIALOGUE(Greeting, EmptyLineIsNonsense, R"(
    S>
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Greeting, EndlessLine, R"(
    event server_too_long
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Greeting, NoneAtAll, R"(
    event server_end
    C< 421 *
    action End raw ftpd closed)")

DIALOGUE(Greeting, TooLate, R"(
    event timeout greeting
    C< 421 *
    action End raw ftpd timed out)")

DIALOGUE(Greeting, ServerUnreachable, R"(
    event server_unreachable
    C< 421 *
    action End raw ftpd unreachable)")

DIALOGUE(Greeting, NothingIsForwardedBeforeIt, R"(
    policy security=optional
    C> USER anna
    C> NOOP
    S> 220-Wait
    S> 220 Ready
    C< 220-Wait
    C< 220 Ready
    S< USER anna)")

DIALOGUE(Greeting, ClientGoesAway, R"(
    event client_end
    action End client closed)")

DIALOGUE(Greeting, NothingHappensAfterTheEnd, R"(
    event server_unreachable
    C< 421 *
    action End raw ftpd unreachable
    waiting nothing
    wants no
    S> 220 Ready
    C> NOOP
    event client_end
    event server_end
    event client_too_long
    event server_too_long
    event tls_started
    event tls_failed
    event plaintext_after_auth
    event passive_opened 192.0.2.1 2000
    event server_listener 192.0.2.1 2000
    event setup_failed no
    event data_over
    event delivered
    event failed stalled
    event drain
    event broken
    event timeout client
    event login_timeout)")

// ---- policies

DIALOGUE(Required, UserIsRefusedBeforeThePasswordIsAskedFor, R"(
    do greet
    C> USER anna
    C< 530 *
    action Note clear-login-refused)")

DIALOGUE(Required, PassIsRefused, R"(
    do greet
    C> PASS secret
    C< 530 *)")

DIALOGUE(Required, AcctIsRefused, R"(
    do greet
    C> ACCT x
    C< 530 *)")

DIALOGUE(Required, AnonymousIsRefusedToo, R"(
    do greet
    C> USER anonymous
    C< 530 *
    C> PASS me@
    C< 530 *)")

DIALOGUE(Required, PipelinedLoginIsRefusedThroughout, R"(
    S> 220 Ready
    C< 220 Ready
    C> user anna
    C< 530 *
    C> pass secret
    C< 530 *
    C> retr x
    C< 530 *)")

DIALOGUE(Required, TelnetInFrontDoesNotHelp, R"(
    do greet
    C> \xff\xf4\xff\xf2USER anna
    C< 530 *
    C> \xff\xfb\x01PASS secret
    C< 530 *)")

DIALOGUE(Required, OtherCommandsAreRefused, R"(
    do greet
    C> CWD /
    C< 530 *
    C> RETR x
    C< 530 *
    C> EPSV
    C< 530 *
    C> PORT 192,0,2,9,8,0
    C< 530 *
    C> STAT
    C< 530 *
    C> SITE PSWD a b
    C< 530 *
    C> XYZZY
    C< 530 *)")

// Somebody on the way could say them in the client's name, and OPTS or CLNT would hold for the session under TLS.
DIALOGUE(Required, NothingReachesTheServerBeforeTls, R"(
    do greet
    C> SYST
    C< 530 *
    C> NOOP
    C< 200 *
    C> OPTS UTF8 OFF
    C< 530 *
    C> CLNT x
    C< 530 *
    C> HELP
    C< 214 *
    C> HELP USER
    C< 214 *
    C> FEAT
    C< 211-Features:
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C< 211 End
    C> ABOR
    C< 225 *
    C> REIN
    C< 502 *
    C> STAT
    C< 530 *
    C> AUTH TLS
    C< 234 *
    action StartTls
    event tls_started
    C> OPTS UTF8 ON
    S< OPTS UTF8 ON)")

DIALOGUE(Required, WhatIsAnsweredHereIsNoBadCommand, R"(
    policy bad_commands=2
    do greet
    C> SYST
    C< 530 *
    C> OPTS UTF8 ON
    C< 530 *
    C> CLNT x
    C< 530 *
    C> FEAT x
    C< 211-*
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C< 211 End)")

DIALOGUE(Required, QuitBeforeTls, R"(
    do greet
    C> QUIT
    C< 221 *
    action End quit)")

DIALOGUE(Required, ImplicitTlsNeedsNoAuth, R"(
    policy implicit=yes
    event tls_started
    do greet
    do user
    C> PASS x
    S< PASS x
    S> 230 In
    C< 230 In
    action LoggedIn anna
    C> AUTH TLS
    C< 503 *
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Required, ImplicitTlsThatNeverCameSaysAndForwardsNothing, R"(
    policy implicit=yes
    S> 220 Ready
    C> USER anna
    C> PASS secret
    event tls_failed
    action End TLS failed)")

DIALOGUE(ExceptAnonymous, AnonymousPasses, R"(
    policy security=except_anonymous
    do greet
    C> USER Anonymous
    S< USER Anonymous
    S> 331 Your e-mail?
    C< 331 Your e-mail?
    C> PASS me@
    S< PASS me@
    S> 230 In
    C< 230 In
    action LoggedIn Anonymous
    do epsv_clear
    C> RETR a
    S< RETR a
    action StartTransfer download clear)")

DIALOGUE(ExceptAnonymous, NothingElseReachesTheServerBeforeTheLogin, R"(
    policy security=except_anonymous
    do greet
    C> OPTS UTF8 OFF
    C< 530 *
    C> NOOP
    C< 200 *
    C> PASS me@
    C< 530 *
    C> USER anonymous
    S< USER anonymous
    S> 530 No
    C< 530 No
    action LoginFailed anonymous
    C> OPTS UTF8 OFF
    C< 530 *
    C> USER anonymous
    S< USER anonymous
    S> 331 Your e-mail?
    C< 331 Your e-mail?
    C> OPTS UTF8 ON
    S< OPTS UTF8 ON)")

DIALOGUE(ExceptAnonymous, FtpIsAnonymous, R"(
    policy security=except_anonymous
    do greet
    C> USER ftp
    S< USER ftp)")

DIALOGUE(ExceptAnonymous, OthersAreRefused, R"(
    policy security=except_anonymous
    do greet
    C> USER anna
    C< 530 *
    C> PASS secret
    C< 530 *
    C> USER anonymousx
    C< 530 *
    C> USER anonymous\s
    C< 530 *
    C> USER
    C< 530 *)")

DIALOGUE(ExceptAnonymous, PasswordOfARefusedUserIsNotForwarded, R"(
    policy security=except_anonymous
    do greet
    C> USER anonymous
    S< USER anonymous
    S> 331 Your e-mail?
    C< 331 Your e-mail?
    C> USER anna
    C< 530 *
    C> PASS secret
    C< 530 *
    C> USER anonymous
    S< USER anonymous
    S> 331 Your e-mail?
    C< 331 Your e-mail?
    C> PASS me@
    S< PASS me@)")

DIALOGUE(ExceptAnonymous, OthersPassUnderTls, R"(
    policy security=except_anonymous
    do login)")

DIALOGUE(Optional, LoginInClearPasses, R"(
    policy security=optional
    do plain_login
    do epsv_clear
    C> RETR a
    S< RETR a
    action StartTransfer download clear)")

DIALOGUE(Optional, TlsPasses, R"(
    policy security=optional
    do login)")

DIALOGUE(Optional, SecuredSessionNeedsSecuredData, R"(
    policy security=optional
    do tls
    do epsv_clear
    C> RETR a
    C< 521 *
    action CloseData)")
