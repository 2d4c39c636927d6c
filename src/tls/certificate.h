// Certificates with their keys, and which of them answers for a host name. Internal to tls/.
#pragma once

#include "base/result.h"
#include "tls/context.h"
#include "tls/openssl_types.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::tls {

struct KeyPair {
    X509Ptr certificate;
    PkeyPtr key;
    X509StackPtr chain; ///< the intermediates, as the file has them
};

/// Says under which certificate and which rules for clients a session was agreed (see tickets.h).
using Scope = std::array<unsigned char, 16>;

/// One set of names. Usually one key pair; two where, say, an RSA and an ECDSA certificate bear the same names.
struct Identity {
    std::vector<KeyPair> pairs;
    std::vector<std::string> names; ///< lower case, sorted
    Scope scope{};
};

/// Reads the files and makes sure that the key is the certificate's. Errors: tls_setup with the file's name.
Result<KeyPair> load_key_pair(const CertificateFiles& files);

/// The dNSNames of the subject alternative name; without that extension the common name. Lower case, sorted.
std::vector<std::string> names_of(X509* certificate);

/// RFC 6125 section 6.4: `*.example.com` stands for exactly one label. The whole name wins over a wildcard. Null: no match.
const Identity* find_identity(const std::vector<Identity>& identities, std::string_view host_name);

std::array<unsigned char, 32> sha256_of(X509* certificate);
std::string hex(const std::array<unsigned char, 32>& digest, bool upper_case_with_colons);

} // namespace safetp::tls
