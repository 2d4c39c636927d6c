#include "supervisor/helpers.h"

#include <gtest/gtest.h>

int main(int argc, char** argv)
{
    safetp::process::run_if_helper(argc, argv, safetp::supervisor::kHelperRoles);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
