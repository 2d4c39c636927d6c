// The dialogue on a client side: the client's leg is plain, the server's is safe before the first line comes here.
#include "ftp/dialogue.h"

DIALOGUE(ClientSide, LogsInWithoutTls, R"(
    policy leg=server
    do plain_login)")

DIALOGUE(ClientSide, FeatListsNoTls, R"(
    policy leg=server
    do greet
    C> FEAT
    S< FEAT
    S> 211-Features
    S>  AUTH TLS
    S>  PBSZ
    S>  PROT
    S>  MDTM
    S> 211 End
    C< 211-Features:
    C< \sEPRT
    C< \sEPSV
    C< \sPASV
    C< \sMDTM
    C< 211 End)")

DIALOGUE(ClientSide, WhatNeedsTlsIsRefused, R"(
    policy leg=server
    do greet
    C> PBSZ 0
    C< 503 *
    C> PROT P
    C< 503 *
    C> CCC
    C< 533 *
    C> ADAT x
    C< 503 *)")

DIALOGUE(ClientSide, TransferIsExpectedBeforeThe150, R"(
    policy leg=server
    do plain_login
    do eprt
    C> RETR a
    S< RETR a
    action ExpectTransfer
    S> 150 Coming
    C< 150 Coming
    action StartTransfer download clear)")

DIALOGUE(ClientSide, PassiveClientMayComeAtOnce, R"(
    policy leg=server
    do plain_login
    do epsv_clear
    C> STOR a
    S< STOR a
    action ExpectTransfer
    action StartTransfer upload clear)")

// The server's own words say why it would not have the data connection.
DIALOGUE(ClientSide, UnsafeDataConnectionInTheServersWords, R"(
    policy leg=server
    do plain_login
    do epsv_clear
    C> STOR a
    S< STOR a
    action ExpectTransfer
    action StartTransfer upload clear
    event failed server_not_secured
    S> 522 Session not reused
    action EndData
    C< 522 Session not reused
    action TransferEnded upload STOR a cut)")

DIALOGUE(ClientSide, UnsafeDataConnectionThatTheServerCallsWhole, R"(
    policy leg=server
    do plain_login
    do epsv_clear
    C> RETR a
    S< RETR a
    action ExpectTransfer
    action StartTransfer download clear
    event failed server_not_secured
    S> 226 All of it
    action AbortData
    C< 425 The FTP server could not make the data connection safe, so nothing was transferred.
    action TransferEnded download RETR a cut)")

DIALOGUE(ClientSide, FailureBeforeThe150OfAnActiveClient, R"(
    policy leg=server
    do plain_login
    do eprt
    C> RETR a
    S< RETR a
    action ExpectTransfer
    event failed server_unreachable
    action AbortClientData
    C< 425 The FTP server cannot be reached for the data connection.
    S> 425 Nobody came
    action TransferEnded download RETR a cut)")

DIALOGUE(ClientSide, NamesTheServerInItsRole, R"(
    policy leg=server
    do plain_login
    event server_end
    C< 421 The FTP server closed the connection.
    action End raw ftpd closed)")

// ---- servers that cannot be used

DIALOGUE(ClientSide, OneReplyInPlaceOfAGreeting, R"(
    policy leg=server
    event unusable 421 The server offers no encryption.
    C< 421 The server offers no encryption.
    action End server not secured)")

DIALOGUE(ClientSide, OneReplyToUser, R"(
    policy leg=server greets=no
    C> USER anna
    event unusable 530 The key has changed.
    C< 530 The key has changed.
    action End server not secured)")

// ---- a client that was greeted before its server was known

DIALOGUE(ClientSide, UserWaitsForTheGreetingThatNobodySees, R"(
    policy leg=server greets=no
    C> USER anna
    S> 220-Ready
    S> 220 as can be
    S< USER anna
    S> 331 Password?
    C< 331 Password?)")

DIALOGUE(ClientSide, GreetingThatRefusesIsSeen, R"(
    policy leg=server greets=no
    C> USER anna
    S> 421 Come back tomorrow
    C< 421 Come back tomorrow
    action End raw ftpd refused)")

DIALOGUE(ClientSide, SecondUserWithTheSameServer, R"(
    policy leg=server greets=no
    event proxy_name ftp.example.com:2121
    C> USER anna
    S> 220 Ready
    S< USER anna
    S> 530 No
    C< 530 No
    action LoginFailed anna
    C> USER bob@FTP.example.com:2121
    S< USER bob
    S> 331 Password?
    C< 331 Password?)")

DIALOGUE(ClientSide, SecondUserWithAnotherServer, R"(
    policy leg=server greets=no
    event proxy_name ftp.example.com
    C> USER anna
    S> 220 Ready
    S< USER anna
    S> 530 No
    C< 530 No
    action LoginFailed anna
    C> USER anna@ftp.example.org
    C< 530 This session is with ftp.example.com: *
    C> USER anna@example.com@ftp.example.com
    S< USER anna@example.com)")

DIALOGUE(ClientSide, UserNamesNoServerWhereThatIsKnown, R"(
    policy leg=server
    do greet
    C> USER anna@example.com
    S< USER anna@example.com)")

// ---- a client that brings its own TLS

DIALOGUE(ClientSide, AuthIsLeftAlone, R"(
    policy leg=server
    do greet
    C> AUTH TLS
    action AskForAuth TLS
    wants no
    waiting nothing
    event auth_answered yes 234 Go on
    C< 234 Go on
    action End left alone)")

DIALOGUE(ClientSide, RefusedAuthChangesNothing, R"(
    policy leg=server
    do greet
    C> AUTH SSL
    action AskForAuth SSL
    event auth_answered no 500 Unknown
    C< 500 Unknown
    wants yes
    C> USER anna
    S< USER anna)")

DIALOGUE(ClientSide, UnknownMechanismIsNotAskedFor, R"(
    policy leg=server
    do greet
    C> AUTH GSSAPI
    C< 504 *
    C> AUTH
    C< 501 *)")

DIALOGUE(ClientSide, AuthAfterUserIsRefused, R"(
    policy leg=server
    do plain_login
    C> AUTH TLS
    C< 503 *
    wants yes)")

// Pipelined: when AUTH came nobody had logged in; when its turn comes somebody is about to.
DIALOGUE(ClientSide, AuthBehindAWaitingUserIsRefused, R"(
    policy leg=server
    do greet
    C> USER anna
    S< USER anna
    C> AUTH TLS
    wants no
    S> 331 Password?
    C< 331 Password?
    C< 503 *
    wants yes)")

DIALOGUE(ClientSide, NothingMayFollowAuth, R"(
    policy leg=server
    do greet
    C> AUTH TLS
    action AskForAuth TLS
    C> USER anna
    action End plain text behind AUTH)")

DIALOGUE(ClientSide, AnswerThatNobodyWaitsForIsIgnored, R"(
    policy leg=server
    do greet
    event auth_answered yes 234 Go on
    C> NOOP
    S< NOOP)")

DIALOGUE(ClientSide, DrainWaitsForTheAnswerToAuth, R"(
    policy leg=server
    do greet
    C> AUTH TLS
    action AskForAuth TLS
    event drain
    event auth_answered no 500 Unknown
    C< 500 Unknown
    C< 421 *
    action End shutting down)")

// The other way round: it came behind a PASS that was then refused, and other lines may have come behind it.
DIALOGUE(ClientSide, AuthBehindARefusedPassIsRefused, R"(
    policy leg=server
    do greet
    do user
    C> PASS wrong
    S< PASS wrong
    C> AUTH TLS
    C> NOOP
    S> 530 No
    C< 530 No
    action LoginFailed anna
    C< 503 *
    S< NOOP)")
