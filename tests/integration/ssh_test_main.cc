#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>

#include "tests/support/test_sshd.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  signal(SIGPIPE, SIG_IGN);
  if (const char* why = hpc::TestSshd::missing()) {
    std::printf("skipped: %s\n", why);
    return 77;
  }
  return RUN_ALL_TESTS();
}
