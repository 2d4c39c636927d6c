#include "tls/authorities.h"

#include "tls/context.h"
#include "tls/openssl_error.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <vector>

namespace safetp::tls {

namespace {

struct FreeInfoStack {
    void operator()(STACK_OF(X509_INFO) * stack) const { sk_X509_INFO_pop_free(stack, X509_INFO_free); }
};
using InfoStackPtr = std::unique_ptr<STACK_OF(X509_INFO), FreeInfoStack>;

/// What a file in PEM holds; the pointers are `infos`'s.
struct Contents {
    InfoStackPtr infos{};
    std::vector<X509*> certificates{};
    std::vector<X509_CRL*> lists{};
};

int refuse_passphrase(char*, int, int, void*) { return -1; }

Result<Contents> read_contents(const std::string& path)
{
    ERR_clear_error();
    const BioPtr file(BIO_new_file(path.c_str(), "r"));
    if (!file)
        return setup_failure(path);
    Contents contents{.infos = InfoStackPtr(PEM_X509_INFO_read_bio(file.get(), nullptr, refuse_passphrase, nullptr))};
    if (!contents.infos)
        return setup_failure(path);
    for (int i = 0; i < sk_X509_INFO_num(contents.infos.get()); ++i) {
        const X509_INFO* const info = sk_X509_INFO_value(contents.infos.get(), i);
        if (info->x509 != nullptr)
            contents.certificates.push_back(info->x509);
        if (info->crl != nullptr)
            contents.lists.push_back(info->crl);
    }
    return contents;
}

Result<void> use_lists(SSL_CTX* context, const Contents& contents, const std::string& path)
{
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    for (X509_CRL* const list : contents.lists) {
        if (X509_STORE_add_crl(store, list) != 1)
            return setup_failure(path);
    }
    if (!contents.lists.empty() && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        return setup_failure(path);
    return {};
}

std::string to_text(const X509_NAME* name)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0)
        return {};
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

bool is_out_of_date(const X509_CRL* list)
{
    const ASN1_TIME* const end = X509_CRL_get0_nextUpdate(list);
    return end != nullptr && X509_cmp_current_time(end) < 0;
}

bool is_authority(X509* certificate) { return X509_check_ca(certificate) > 0; }

} // namespace

Result<void> load_authorities(SSL_CTX* context, const std::string& file)
{
    const auto contents = read_contents(file);
    if (!contents)
        return std::unexpected(contents.error());
    if (SSL_CTX_load_verify_file(context, file.c_str()) != 1)
        return setup_failure("authorities " + file);
    return use_lists(context, *contents, file);
}

Result<void> load_revocation_lists(SSL_CTX* context, const std::string& file)
{
    const auto contents = read_contents(file);
    if (!contents)
        return std::unexpected(contents.error());
    if (contents->lists.empty())
        return fail(ErrorCode::tls_setup, 0, file + " holds no revocation list in PEM form (-----BEGIN X509 CRL-----)");
    return use_lists(context, *contents, file);
}

bool is_list_out_of_date(const SSL_CTX* context)
{
    const STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
        const X509_CRL* const list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
        if (list != nullptr && is_out_of_date(list))
            return true;
    }
    return false;
}

std::vector<std::string> doubts_about_revocation(const std::string& authorities_file, const std::string& lists_file)
{
    const auto authorities = read_contents(authorities_file);
    const auto further = lists_file.empty() ? Result<Contents>(Contents{}) : read_contents(lists_file);
    if (!authorities || !further)
        return {};
    std::vector<X509_CRL*> lists = authorities->lists;
    lists.insert(lists.end(), further->lists.begin(), further->lists.end());
    std::vector<std::string> doubts;
    for (const X509_CRL* const list : lists) {
        const std::string of_whom = "the revocation list of " + to_text(X509_CRL_get_issuer(list));
        if (is_out_of_date(list))
            doubts.push_back(of_whom + " is out of date: its clients are refused until there is a newer one");
        if (X509_cmp_current_time(X509_CRL_get0_lastUpdate(list)) > 0)
            doubts.push_back(of_whom + " is not valid yet: its clients are refused until then (is the clock right?)");
    }
    for (X509* const certificate : authorities->certificates) {
        bool has_list = lists.empty() || !is_authority(certificate);
        for (const X509_CRL* const list : lists)
            has_list = has_list || X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(certificate)) == 0;
        if (!has_list)
            doubts.push_back("there is no revocation list of " + to_text(X509_get_subject_name(certificate))
                + ", but there is one of others: its clients are refused");
    }
    return doubts;
}

} // namespace safetp::tls
