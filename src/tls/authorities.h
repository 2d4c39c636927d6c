// Authorities and their revocation lists, from files in PEM. Internal to tls/.
#pragma once

#include "base/result.h"
#include "tls/openssl_types.h"

#include <string>

namespace safetp::tls {

/// The certificates and the revocation lists in `file`. OpenSSL reads lists and does not ask them unless it is told to: where
/// there is one, each certificate of a chain is looked up, and a list that is missing or out of date refuses it. tls_setup.
Result<void> load_authorities(SSL_CTX* context, const std::string& file);

/// Only lists, of which there must be one. tls_setup.
Result<void> load_revocation_lists(SSL_CTX* context, const std::string& file);

/// Whether a list in the context's store is out of date now: then nothing that rests on a client's certificate is resumed.
bool is_list_out_of_date(const SSL_CTX* context);

} // namespace safetp::tls
