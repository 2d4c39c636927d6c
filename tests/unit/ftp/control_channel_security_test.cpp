// RFC 2228 and RFC 4217 towards the client: AUTH, PBSZ, PROT, CCC, and what is injected around them.
#include "ftp/dialogue.h"

DIALOGUE(Auth, Tls, R"(
    do auth
    wants no
    event tls_started
    wants yes)")

DIALOGUE(Auth, MechanismInLowerCase, R"(
    do greet
    C> auth tls
    C< 234 *
    action StartTls)")

DIALOGUE(Auth, TlsC, R"(
    do greet
    C> AUTH TLS-C
    C< 234 *
    action StartTls)")

DIALOGUE(Auth, TlsStartsWithClearData, R"(
    policy data=optional
    do tls
    do epsv_clear
    C> RETR a
    S< RETR a
    action StartTransfer download clear)")

DIALOGUE(Auth, SslMeansProtectedData, R"(
    do greet
    C> AUTH SSL
    C< 234 *
    action StartTls
    event tls_started
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Auth, TlsPMeansProtectedData, R"(
    do greet
    C> AUTH TLS-P
    C< 234 *
    action StartTls
    event tls_started
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Auth, UnknownMechanisms, R"(
    do greet
    C> AUTH GSSAPI
    C< 504 *
    C> AUTH KERBEROS_V4
    C< 504 *
    C> AUTH TLSX
    C< 504 *
    C> AUTH
    C< 501 *
    C> AUTH\s
    C< 501 *
    wants yes)")

DIALOGUE(Auth, TwiceIsRefused, R"(
    do tls
    C> AUTH TLS
    C< 503 *
    C> NOOP
    S< NOOP)")

DIALOGUE(Auth, ABlankBehindTheMechanism, R"(
    do greet
    C> AUTH TLS\s
    C< 234 *
    action StartTls)")

// RFC 2228 section 3: after AUTH nobody is logged in, and nothing that was said in clear counts.
DIALOGUE(Auth, AfterALoginInClearIsRefused, R"(
    policy security=optional
    do plain_login
    C> AUTH TLS
    C< 503 *
    wants yes
    C> PWD
    S< PWD)")

DIALOGUE(Auth, AfterAUserInClearIsRefused, R"(
    policy security=except_anonymous
    do greet
    C> USER anonymous
    S< USER anonymous
    S> 331 Your e-mail?
    C< 331 Your e-mail?
    C> AUTH TLS
    C< 503 *)")

DIALOGUE(Auth, BehindAWaitingUserIsRefused, R"(
    policy security=optional
    do greet
    C> NOOP
    S< NOOP
    C> USER anna
    C> AUTH TLS
    wants no
    S> 200 ok
    C< 200 ok
    S< USER anna
    S> 331 Password?
    C< 331 Password?
    C< 503 *
    wants yes
    C> PASS x
    S< PASS x)")

DIALOGUE(Auth, AfterASettingInClearIsRefused, R"(
    policy security=optional
    do greet
    C> OPTS UTF8 OFF
    S< OPTS UTF8 OFF
    S> 200 ok
    C< 200 ok
    C> AUTH TLS
    C< 503 *)")

DIALOGUE(Auth, AfterQuestionsInClearIsTaken, R"(
    policy security=optional
    do greet
    C> SYST
    S< SYST
    S> 215 UNIX
    C< 215 UNIX
    C> HELP
    S< HELP
    S> 214 ok
    C< 214 ok
    C> AUTH TLS
    C< 234 *
    action StartTls)")

DIALOGUE(Auth, AfterARefusedUserIsTaken, R"(
    do greet
    C> USER anna
    C< 530 *
    C> AUTH TLS
    C< 234 *
    action StartTls)")

DIALOGUE(Auth, FailedHandshakeEndsWithoutAWord, R"(
    do auth
    event tls_failed
    action End TLS failed
    C> USER anna)")

DIALOGUE(Auth, InjectedLineBehindItEnds, R"(
    do auth
    C> USER mallory
    action End plain text behind AUTH)")

DIALOGUE(Auth, InjectedHalfLineBehindItEnds, R"(
    do auth
    event plaintext_after_auth
    action End plain text behind AUTH)")

DIALOGUE(Auth, InjectedOverLongLineBehindItEnds, R"(
    do auth
    event client_too_long
    action End plain text behind AUTH)")

DIALOGUE(Auth, InjectedLineBehindAWaitingAuthEnds, R"(
    policy security=optional
    do greet
    C> NOOP
    S< NOOP
    C> AUTH TLS
    wants no
    C> USER mallory
    action End plain text behind AUTH)")

DIALOGUE(Auth, RefusedAuthIsNoBarrier, R"(
    policy security=optional
    do greet
    C> NOOP
    S< NOOP
    C> AUTH GSSAPI
    wants yes
    C> NOOP
    S> 200 OK
    C< 200 OK
    C< 504 *
    S< NOOP)")

DIALOGUE(Auth, WaitsForTheReplyOwed, R"(
    policy security=optional
    do greet
    C> NOOP
    S< NOOP
    C> AUTH TLS
    S> 200 OK
    C< 200 OK
    C< 234 *
    action StartTls)")

DIALOGUE(Auth, NothingIsSaidInClearDuringTheHandshake, R"(
    do auth
    S> 421 Timeout
    action End raw ftpd closed)")

DIALOGUE(Auth, NothingIsSaidInClearWhenTheServerClosesDuringTheHandshake, R"(
    do auth
    event server_end
    action End raw ftpd closed)")

DIALOGUE(Auth, NothingIsSaidInClearWhenTheHandshakeTakesTooLong, R"(
    do auth
    event login_timeout
    action End login timed out)")

DIALOGUE(Auth, DrainWaitsForTheHandshake, R"(
    do auth
    event drain
    event tls_started
    C< 421 *
    action End shutting down)")

// ---- PBSZ and PROT

DIALOGUE(Pbsz, BeforeAuth, R"(
    do greet
    C> PBSZ 0
    C< 503 *)")

DIALOGUE(Pbsz, AnyNumberIs0, R"(
    do tls
    C> PBSZ 0
    C< 200 PBSZ=0
    C> PBSZ 16384
    C< 200 PBSZ=0
    C> PBSZ 4294967295
    C< 200 PBSZ=0
    C> PBSZ  0\s\s
    C< 200 PBSZ=0)")

DIALOGUE(Pbsz, OnlyNumbers, R"(
    do tls
    C> PBSZ
    C< 501 *
    C> PBSZ\s
    C< 501 *
    C> PBSZ x
    C< 501 *
    C> PBSZ -1
    C< 501 *
    C> PBSZ 0x
    C< 501 *
    C> PBSZ 4294967296
    C< 501 *
    C> PROT P
    C< 503 *)")

DIALOGUE(Prot, BeforeAuth, R"(
    do greet
    C> PROT P
    C< 503 *)")

DIALOGUE(Prot, BeforePbsz, R"(
    do tls
    C> PROT P
    C< 503 *
    C> PROT C
    C< 503 *)")

DIALOGUE(Prot, Levels, R"(
    policy data=optional
    do tls
    C> PBSZ 0
    C< 200 *
    C> PROT P
    C< 200 *
    C> prot c
    C< 200 *
    C> PROT P\s
    C< 200 *
    C> PROT S
    C< 536 *
    C> PROT E
    C< 536 *
    C> PROT X
    C< 504 *
    C> PROT PP
    C< 504 *
    C> PROT
    C< 501 *)")

DIALOGUE(Prot, ClearAgainstPolicy, R"(
    do login
    C> PROT C
    C< 534 *
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Prot, IsAskedForAtTheTransferNotAtPasv, R"(
    do tls
    do epsv_clear
    C> LIST
    C< 521 *
    action CloseData
    C> LIST
    C< 425 *
    C> PBSZ 0
    C< 200 *
    do epsv_clear
    C> PROT P
    C< 200 *
    C> LIST
    S< LIST
    action StartTransfer download protected)")

DIALOGUE(Prot, TheLevelAtTheTransferCounts, R"(
    policy data=optional
    do login
    do epsv
    C> PROT C
    C< 200 *
    C> STOR a
    S< STOR a
    action StartTransfer upload clear)")

DIALOGUE(Prot, UploadsInClearAreRefusedToo, R"(
    do tls
    do eprt
    C> STOR a
    C< 521 *
    action CloseData)")

// ---- CCC, ADAT and the rest

DIALOGUE(Ccc, IsRefusedByDefault, R"(
    do greet
    C> CCC
    C< 533 *
    C> AUTH TLS
    C< 234 *
    action StartTls
    event tls_started
    C> CCC
    C< 534 *)")

DIALOGUE(Ccc, IsRefusedAfterLoginToo, R"(
    do login
    C> CCC
    C< 534 *
    C> PWD
    S< PWD)")

DIALOGUE(Ccc, AllowedOnlyAfterLogin, R"(
    policy ccc=yes
    do tls
    C> CCC
    C< 503 *)")

DIALOGUE(Ccc, KeepsDataProtectedAndProtFrozen, R"(
    policy ccc=yes data=optional
    do login
    C> CCC
    C< 200 *
    action EndTls
    C> PROT C
    C< 503 *
    C> PBSZ 0
    C< 503 *
    C> CCC
    C< 533 *
    C> AUTH TLS
    C< 503 *
    do epsv
    C> RETR a
    S< RETR a
    action StartTransfer download protected)")

DIALOGUE(Ccc, NoLoginInClearAfterIt, R"(
    policy ccc=yes
    do login
    C> CCC
    C< 200 *
    action EndTls
    C> USER bob
    C< 530 *
    C> PASS secret
    C< 530 *
    C> ACCT secret
    C< 530 *
    C> PWD
    S< PWD)")

DIALOGUE(Ccc, NoAnonymousLoginInClearAfterIt, R"(
    policy ccc=yes security=except_anonymous
    do login
    C> CCC
    C< 200 *
    action EndTls
    C> USER anonymous
    C< 530 *)")

DIALOGUE(Protected, AdatMicConfEncAreNeverForwarded, R"(
    do greet
    C> ADAT AAAA
    C< 503 *
    C> MIC AAAA
    C< 533 *
    C> CONF AAAA
    C< 533 *
    C> ENC AAAA
    C< 533 *
    C> AUTH TLS
    C< 234 *
    action StartTls
    event tls_started
    C> ADAT AAAA
    C< 503 *
    C> MIC AAAA
    C< 533 *)")

DIALOGUE(Rein, IsRefusedBeforeAndAfterLogin, R"(
    do greet
    C> REIN
    C< 502 *
    C> AUTH TLS
    C< 234 *
    action StartTls
    event tls_started
    C> REIN
    C< 502 *)")

DIALOGUE(Rein, LeavesTheLoginAlone, R"(
    do login
    C> REIN
    C< 502 *
    C> PWD
    S< PWD)")

DIALOGUE(ThirdParty, EveryWayToAnotherHostIsRefused, R"(
    do login
    C> SSCN ON
    C< 502 *
    C> CPSV
    C< 502 *
    C> LPSV
    C< 502 *
    C> LPRT 4,4,127,0,0,1,2,4,0
    C< 502 *
    C> SPSV
    C< 502 *
    C> ESTP
    C< 502 *
    C> ESTA
    C< 502 *)")

DIALOGUE(Http, EndsAtOnce, R"(
    do greet
    C> GET / HTTP/1.1
    C< 421 *
    action End HTTP client
    C> Host: a)")

DIALOGUE(Http, EndsInsideTlsToo, R"(
    do tls
    C> POST / HTTP/1.1
    C< 421 *
    action End HTTP client)")
