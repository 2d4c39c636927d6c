// FEAT, OPTS and HOST.
#include "ftp/dialogue.h"

DIALOGUE(Feat, IsTheServersListAndOurs, R"(
    do tls
    C> FEAT
    S< FEAT
    S> 211-Features:
    S>  AUTH TLS
    S>  AUTH SSL
    S>  CCC
    S>  EPRT
    S>  EPSV
    S>  MDTM
    S>  MODE Z
    S>  PASV
    S>  PBSZ
    S>  PROT
    S>  REST STREAM
    S>  SIZE
    S>  SSCN
    S>  UTF8
    S> 211 End
    C< 211-Features:
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C<  MDTM
    C<  REST STREAM
    C<  SIZE
    C<  UTF8
    C< 211 End)")

DIALOGUE(Feat, BeforeLoginShowsAuth, R"(
    policy security=optional
    do greet
    C> FEAT
    S< FEAT
    S> 530 Please log in
    C< 211-Features:
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C< 211 End)")

DIALOGUE(Feat, ServerWithoutIt, R"(
    do tls
    C> FEAT
    S< FEAT
    S> 500 Unknown command
    C< 211-*
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C< 211 End)")

DIALOGUE(Feat, ServerWithAnEmptyList, R"(
    policy ccc=yes
    do tls
    C> FEAT
    S< FEAT
    S> 211 No features
    C< 211-*
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  CCC
    C<  EPRT
    C<  EPSV
    C<  PASV
    C< 211 End)")

DIALOGUE(Feat, LinesAreBroughtIntoForm, R"(
    do tls
    C> FEAT
    S< FEAT
    S> 211-Extensions supported
    S> 211-MLST Type*;Size*;
    S>    SIZE
    S> MDTM
    S> \tREST STREAM
    S>  \t PASV
    S> 211- \tTVFS
    S> 
    S>  auth TLS;TLS-C;
    S> 211 End.
    C< 211-*
    C<  AUTH TLS
    C<  PBSZ
    C<  PROT
    C<  EPRT
    C<  EPSV
    C<  PASV
    C<  MLST Type*;Size*;
    C<  SIZE
    C<  MDTM
    C<  REST STREAM
    C<  TVFS
    C< 211 End)")

DIALOGUE(Feat, ServerCloses, R"(
    do tls
    C> FEAT
    S< FEAT
    S> 421 Timeout
    C< 421 Timeout
    action End raw ftpd closed)")

DIALOGUE(Feat, EndlessListEnds, R"(
    policy reply_bytes=30
    do tls
    C> FEAT
    S< FEAT
    S> 211-Features:
    S>  0123456789
    S>  0123456789
    C< 421 *
    action End raw ftpd spoke nonsense)")

DIALOGUE(Opts, PassesUnread, R"(
    do tls
    C> OPTS MLST type;size;
    S< OPTS MLST type;size;
    S> 200 MLST OPTS type;size;
    C< 200 MLST OPTS type;size;
    C> OPTS UTF8 ON
    S< OPTS UTF8 ON
    S> 501 No
    C< 501 No)")

// ---- HOST

DIALOGUE(Host, PassesBeforeLogin, R"(
    do tls
    C> HOST ftp.example.org
    S< HOST ftp.example.org
    S> 220 ftp.example.org
    C< 220 ftp.example.org)")

DIALOGUE(Host, AfterUserIsRefused, R"(
    do tls
    do user
    C> HOST ftp.example.org
    C< 503 *)")

DIALOGUE(Host, AfterLoginIsRefused, R"(
    do login
    C> HOST ftp.example.org
    C< 503 *)")

DIALOGUE(Host, MalformedIsRefused, R"(
    do tls
    C> HOST
    C< 501 *
    C> HOST ftp.example.org:21
    C< 501 *
    C> HOST [2001:db8::1]:21
    C< 501 *
    C> HOST 2001:db8::1
    C< 501 *
    C> HOST [2001:db8::1]
    S< HOST [2001:db8::1])")

DIALOGUE(Host, MustBeTheNameGivenInTls, R"(
    do auth
    event tls_started ftp.example.org
    C> HOST other.example.org
    C< 504 *
    C> HOST FTP.example.org
    S< HOST FTP.example.org)")
