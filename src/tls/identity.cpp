// The self-made identity: key and certificate in one file, so that they always belong together.
#include "base/ip_address.h"
#include "base/unique_fd.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/openssl_error.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::tls {

namespace {

constexpr const char* kFileName = "safetpd.pem";
constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
constexpr int kSerialBits = 127;
constexpr long kDaySeconds = 24 * 3600;
constexpr long kValidDays = 3650;
constexpr std::size_t kMaxCommonName = 64; // RFC 5280 appendix A, ub-common-name

Result<void> make_directories(const std::string& directory)
{
    std::filesystem::path path;
    for (const auto& part : std::filesystem::path(directory)) {
        path /= part;
        if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
            return fail(ErrorCode::bad_file, errno, "cannot make the directory " + path.string());
    }
    return {};
}

/// Whether `path` is there and nobody but root and its owner, the caller, can read or write it.
Result<bool> is_there_and_private(const std::string& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno == ENOENT)
        return false;
    if (!file)
        return fail(ErrorCode::bad_file, errno, path);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, path);
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::bad_file, 0, path + " is not a plain file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return fail(ErrorCode::bad_file, 0, path + " holds the private key but belongs to another user: chown it to this one");
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return fail(ErrorCode::bad_file, 0, path + " holds the private key but others may read or write it: chmod 600 it, or "
                                                   "remove it to have a new one made if it may have been read");
    return true;
}

bool is_host_name(const std::string& name)
{
    return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '*';
    });
}

bool add_alternative_name(GENERAL_NAMES* names, const std::string& name)
{
    const auto address = IpAddress::parse(name);
    ASN1_STRING* const text = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    GENERAL_NAME* const entry = GENERAL_NAME_new();
    bool is_set = false;
    if (address) {
        const auto& bytes = address->bytes();
        is_set = ASN1_STRING_set(text, bytes.data(), address->is_ipv4() ? 4 : 16) == 1;
    } else {
        is_set = is_host_name(name) && ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) == 1;
    }
    GENERAL_NAME_set0_value(entry, address ? GEN_IPADD : GEN_DNS, text); // takes `text`
    sk_GENERAL_NAME_push(names, entry);                                  // takes `entry`
    return is_set;
}

Result<void> add_names(X509* certificate, const std::vector<std::string>& names)
{
    const GeneralNamesPtr alternatives(sk_GENERAL_NAME_new_null());
    for (const std::string& name : names) {
        if (!add_alternative_name(alternatives.get(), name))
            return fail(ErrorCode::tls_setup, 0, "\"" + name + "\" is neither a host name nor an IP address");
    }
    if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, alternatives.get(), 0, X509V3_ADD_DEFAULT) != 1)
        return setup_failure("subject alternative name");
    const std::string common_name = names.front().size() <= kMaxCommonName ? names.front() : "safetpd";
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(common_name.data()));
    const int size = static_cast<int>(common_name.size());
    if (X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, bytes, size, -1, 0) != 1)
        return setup_failure("common name");
    if (X509_set_issuer_name(certificate, subject) != 1)
        return setup_failure("issuer");
    return {};
}

bool add_extension(X509* certificate, int id, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, id, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_random_serial(X509* certificate)
{
    const BignumPtr number(BN_new());
    return number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

Result<X509Ptr> make_certificate(EVP_PKEY* key, const std::vector<std::string>& names)
{
    X509Ptr certificate(X509_new());
    X509* const x509 = certificate.get();
    if (x509 == nullptr || X509_set_version(x509, X509_VERSION_3) != 1 || !set_random_serial(x509))
        return setup_failure("certificate");
    // A day back, for clients whose clocks are slow.
    X509_gmtime_adj(X509_getm_notBefore(x509), -kDaySeconds);
    X509_gmtime_adj(X509_getm_notAfter(x509), kValidDays * kDaySeconds);
    if (const auto named = add_names(x509, names); !named)
        return std::unexpected(named.error());
    if (X509_set_pubkey(x509, key) != 1 || !add_extension(x509, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x509, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x509, NID_ext_key_usage, "serverAuth") || !add_extension(x509, NID_subject_key_identifier, "hash"))
        return setup_failure("certificate");
    if (X509_sign(x509, key, EVP_sha256()) == 0)
        return setup_failure("certificate");
    return certificate;
}

Result<BioPtr> make_pem(const std::vector<std::string>& names)
{
    ERR_clear_error();
    const PkeyPtr key(EVP_EC_gen("P-256"));
    if (!key)
        return setup_failure("a new key");
    const auto certificate = make_certificate(key.get(), names);
    if (!certificate)
        return std::unexpected(certificate.error());
    BioPtr pem(BIO_new(BIO_s_secmem()));
    if (!pem || PEM_write_bio_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
        PEM_write_bio_X509(pem.get(), certificate->get()) != 1)
        return setup_failure("a new key and certificate");
    return pem;
}

bool write_whole(int fd, BIO* pem)
{
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(pem, &bytes);
    long done = 0;
    while (done < size) {
        const ssize_t written = ::write(fd, bytes + done, static_cast<std::size_t>(size - done));
        if (written < 0 && errno != EINTR)
            return false;
        done += std::max<ssize_t>(written, 0);
    }
    return ::fchmod(fd, kFileMode) == 0 && ::fsync(fd) == 0;
}

/// Where two processes make one at the same time the first link(2) wins, and both then use that file.
Result<void> put_in_place(const std::string& directory, const std::string& path, BIO* pem)
{
    std::array<unsigned char, 32> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
        return setup_failure("random numbers");
    const std::string temporary = path + ".new." + hex(random, false).substr(0, 16);
    const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
    if (!file)
        return fail(ErrorCode::bad_file, errno, "cannot make " + temporary);
    const bool is_linked = write_whole(file.get(), pem) && (::link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
    const int os_error = errno;
    ::unlink(temporary.c_str());
    if (!is_linked)
        return fail(ErrorCode::bad_file, os_error, "cannot write " + path);
    const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent)
        ::fsync(parent.get()); // the name, too, must survive a power cut: clients may pin the key from now on
    return {};
}

} // namespace

Result<CertificateFiles> ensure_self_made_identity(const std::string& directory, const std::vector<std::string>& names)
{
    const std::string path = (std::filesystem::path(directory) / kFileName).string();
    auto is_there = is_there_and_private(path);
    if (is_there && !*is_there) {
        const auto pem = make_pem(names.empty() ? std::vector<std::string>{"localhost"} : names);
        if (!pem)
            return std::unexpected(pem.error());
        if (const auto made = make_directories(directory); !made)
            return std::unexpected(made.error());
        if (const auto placed = put_in_place(directory, path, pem->get()); !placed)
            return std::unexpected(placed.error());
        is_there = is_there_and_private(path);
    }
    if (!is_there)
        return std::unexpected(is_there.error());
    const CertificateFiles files{.certificate = path, .key = {}};
    if (const auto pair = load_key_pair(files); !pair)
        return std::unexpected(pair.error());
    return files;
}

} // namespace safetp::tls
