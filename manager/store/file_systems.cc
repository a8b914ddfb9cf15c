#include "manager/store/file_systems.h"

#include <array>

namespace hpc {

namespace {

struct Row {
  std::uint64_t f_type;
  std::string_view name;
};

// Numbers from statfs(2), linux/magic.h and the sources of those outside of the kernel.
constexpr auto kTable = std::to_array<Row>({
    {0x6969, "NFS"},
    {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS (Spectrum Scale)"},
    {0x19830326, "BeeGFS"},
    {0x00C36400, "CephFS"},
    {0xAAD7AAEA, "PanFS"},
    {0x20030528, "OrangeFS"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB"},
    {0x517B, "SMB"},
    {0x5346414F, "AFS"},
    {0x6B414653, "AFS"},
    {0x73757245, "Coda"},
    {0x01161970, "GFS2"},
    {0x7461636F, "OCFS2"},
    {0x01021997, "9p"},
    {0x786F4256, "a VirtualBox shared folder"},
    {0x65735546, "FUSE (sshfs and the like)"},
});

}  // namespace

std::optional<std::string_view> shared_file_system(std::uint64_t f_type) {
  for (const Row& row : kTable) {
    if (row.f_type == f_type) return row.name;
  }
  return std::nullopt;
}

}  // namespace hpc
