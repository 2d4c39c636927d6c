#include "tls/certificate.h"

#include "tls/openssl_error.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <ctime>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace safetp::tls {

namespace {

/// Never asks: a daemon has nobody to ask. Notes that there was a passphrase to ask for, which OpenSSL's own words hide.
int refuse_passphrase(char*, int, int, void* was_asked)
{
    if (was_asked != nullptr)
        *static_cast<bool*>(was_asked) = true;
    return -1;
}

std::string lower_case(std::string_view text)
{
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// A name with a NUL in it would be read differently by others: such a name is no name.
void add_name(std::vector<std::string>& names, const ASN1_STRING* text)
{
    const auto* bytes = ASN1_STRING_get0_data(text);
    const std::string_view name(static_cast<const char*>(static_cast<const void*>(bytes)),
                                static_cast<std::size_t>(ASN1_STRING_length(text)));
    if (!name.empty() && name.find('\0') == std::string_view::npos)
        names.push_back(lower_case(name));
}

Result<void> read_certificates(const std::string& path, KeyPair& pair)
{
    ERR_clear_error();
    const BioPtr file(BIO_new_file(path.c_str(), "r"));
    if (!file)
        return setup_failure(path);
    pair.certificate.reset(PEM_read_bio_X509_AUX(file.get(), nullptr, refuse_passphrase, nullptr));
    if (!pair.certificate)
        return setup_failure(path + ": no certificate in PEM form");
    pair.chain.reset(sk_X509_new_null());
    while (X509* const next = PEM_read_bio_X509(file.get(), nullptr, refuse_passphrase, nullptr))
        sk_X509_push(pair.chain.get(), next);
    const unsigned long end = ERR_peek_last_error();
    if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
        return setup_failure(path + ": a certificate after the first");
    ERR_clear_error();
    return {};
}

bool matches_wildcard(std::string_view pattern, std::string_view host_name)
{
    const auto dot = host_name.find('.');
    return pattern.starts_with("*.") && dot != std::string_view::npos && dot != 0 && pattern.substr(1) == host_name.substr(dot);
}

template <typename Matches>
const Identity* first_with(const std::vector<Identity>& identities, Matches matches)
{
    for (const Identity& identity : identities) {
        if (std::ranges::any_of(identity.names, matches))
            return &identity;
    }
    return nullptr;
}

} // namespace

Result<KeyPair> load_key_pair(const CertificateFiles& files)
{
    KeyPair pair;
    if (const auto read = read_certificates(files.certificate, pair); !read)
        return std::unexpected(read.error());
    const std::string& key_path = files.key.empty() ? files.certificate : files.key;
    const BioPtr key_file(BIO_new_file(key_path.c_str(), "r"));
    if (!key_file)
        return setup_failure(key_path);
    bool is_encrypted = false;
    pair.key.reset(PEM_read_bio_PrivateKey(key_file.get(), nullptr, refuse_passphrase, &is_encrypted));
    if (is_encrypted)
        return fail(ErrorCode::tls_setup, 0,
            key_path + ": the key is encrypted, and nobody can be asked for its passphrase: store it without one, as by "
                       "openssl pkey -in FILE -out NEWFILE, readable by its owner only");
    if (!pair.key)
        return setup_failure(key_path + ": no private key in PEM form");
    ERR_clear_error();
    if (X509_check_private_key(pair.certificate.get(), pair.key.get()) != 1)
        return setup_failure(key_path + " is not the key of " + files.certificate);
    return pair;
}

std::vector<std::string> names_of(X509* certificate)
{
    std::vector<std::string> names;
    const GeneralNamesPtr alternatives(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (alternatives) {
        for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
            const GENERAL_NAME* const entry = sk_GENERAL_NAME_value(alternatives.get(), i);
            if (entry->type == GEN_DNS)
                add_name(names, entry->d.dNSName);
        }
    } else {
        const X509_NAME* const subject = X509_get_subject_name(certificate);
        const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        if (at >= 0)
            add_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    }
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
}

const Identity* find_identity(const std::vector<Identity>& identities, std::string_view host_name)
{
    std::string wanted = lower_case(host_name);
    if (wanted.ends_with('.'))
        wanted.pop_back();
    if (const Identity* exact = first_with(identities, [&](const std::string& name) { return name == wanted; }))
        return exact;
    return first_with(identities, [&](const std::string& name) { return matches_wildcard(name, wanted); });
}

std::array<unsigned char, 32> sha256_of(X509* certificate)
{
    std::array<unsigned char, 32> digest{};
    X509_digest(certificate, EVP_sha256(), digest.data(), nullptr);
    return digest;
}

std::string hex(const std::array<unsigned char, 32>& digest, bool upper_case_with_colons)
{
    const char* const digits = upper_case_with_colons ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : digest) {
        if (upper_case_with_colons && !text.empty())
            text += ':';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

Result<CertificateSummary> inspect_certificate(const CertificateFiles& files)
{
    const auto pair = load_key_pair(files);
    if (!pair)
        return std::unexpected(pair.error());
    X509* const certificate = pair->certificate.get();
    std::tm not_after{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &not_after) != 1)
        return setup_failure(files.certificate + ": its end of validity cannot be read");
    return CertificateSummary{.not_after = std::chrono::system_clock::from_time_t(::timegm(&not_after)),
                              .names = names_of(certificate),
                              .fingerprint = hex(sha256_of(certificate), true)};
}

} // namespace safetp::tls
