#include "manager/store/file_systems.h"

#include <gtest/gtest.h>
#include <linux/magic.h>

namespace hpc {
namespace {

struct FileSystemCase {
  const char* name;
  std::uint64_t f_type;
  bool shared;
};
void PrintTo(const FileSystemCase& c, std::ostream* os) { *os << c.name; }

// Where the kernel's headers have a number, theirs is taken: the table cannot have a slip in it.
constexpr FileSystemCase kCases[] = {
    {"nfs", NFS_SUPER_MAGIC, true},
    {"smb", SMB_SUPER_MAGIC, true},
    {"cifs", CIFS_SUPER_MAGIC, true},
    {"smb2", SMB2_SUPER_MAGIC, true},
    {"afs", AFS_SUPER_MAGIC, true},
    {"afs_fs", AFS_FS_MAGIC, true},
    {"coda", CODA_SUPER_MAGIC, true},
    {"ceph", CEPH_SUPER_MAGIC, true},
    {"ocfs2", OCFS2_SUPER_MAGIC, true},
    {"v9fs", V9FS_MAGIC, true},
    {"fuse", FUSE_SUPER_MAGIC, true},
    {"lustre", 0x0BD00BD0, true},
    {"gpfs", 0x47504653, true},
    {"beegfs", 0x19830326, true},
    {"ext4", EXT4_SUPER_MAGIC, false},
    {"xfs", XFS_SUPER_MAGIC, false},
    {"btrfs", BTRFS_SUPER_MAGIC, false},
    {"tmpfs", TMPFS_MAGIC, false},
    {"overlay", OVERLAYFS_SUPER_MAGIC, false},
    {"zfs", 0x2FC12FC1, false},
    {"unknown", 0x12345678, false},
    {"zero", 0, false},
};

class FileSystemsTest : public testing::TestWithParam<FileSystemCase> {};

TEST_P(FileSystemsTest, IsSharedOrNot) {
  EXPECT_EQ(shared_file_system(GetParam().f_type).has_value(), GetParam().shared);
}
INSTANTIATE_TEST_SUITE_P(Table, FileSystemsTest, testing::ValuesIn(kCases));

TEST(FileSystems, SaysTheNameThatPeopleKnow) {
  EXPECT_EQ(shared_file_system(0x6969), "NFS");
  EXPECT_EQ(shared_file_system(0x0BD00BD0), "Lustre");
}

}  // namespace
}  // namespace hpc
