// The command line in its smallest form: safetpd [-c FILE], safetpd check [-c FILE].
#include "supervisor/supervisor.h"

#include <cstring>

int main(int argc, char** argv)
{
    using namespace safetp::supervisor;
    Options options;
    bool is_check = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "check") == 0)
            is_check = true;
        else if (std::strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            options.source.path = argv[++i];
        else if (std::strcmp(argv[i], "-v") == 0)
            options.source.overrides.is_verbose = true;
        else if (std::strcmp(argv[i], "-s") == 0)
            options.is_inetd = true;
        else
            return 64;
    }
    return is_check ? check(options.source, false) : supervise(options);
}
