#include "common/http_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

using Fate = HeadWriter::Fate;

/// What is written of a head when each field has the fate that its first letter says: p, e or c.
std::string written(const FieldList& fields) {
  std::string out = "before\r\n";
  HeadWriter writer(out);
  writer.fields(
      fields,
      [](const Field& field) {
        if (field.name.front() == 'e') return Fate::kEndsHere;
        return field.name.front() == 'c' ? Fate::kChanges : Fate::kPasses;
      },
      [&](const Field& field) { writer.field(field.name, "new"); });
  return out;
}

FieldList read(const std::string& head) {
  FieldIndex index;
  for (std::size_t at = 0; at < head.size(); at = head.find('\n', at) + 1) {
    index.add(head, at, head.find(':', at), head.find('\r', at));
  }
  FieldList fields;
  fields.assign(head, index);
  return fields;
}

TEST(HeadWriterTest, FieldsInOneOrInPieces) {
  std::string out;
  HeadWriter writer(out);
  writer.reserve(100);
  EXPECT_GE(out.capacity(), 100U);
  writer.field("A", "1");
  writer.begin_field("B");
  writer.piece("2");
  writer.piece("3");
  writer.end_field();
  EXPECT_EQ(out, "A: 1\r\nB: 23\r\n");
}

TEST(HeadWriterTest, EveryOrderOfFatesKeepsTheOrderOfFields) {
  const std::string names = "pec";
  for (int pattern = 0; pattern < 3 * 3 * 3 * 3; ++pattern) {
    std::string head;
    std::string wanted = "before\r\n";
    for (int i = 0, rest = pattern; i < 4; ++i, rest /= 3) {
      const char first = names[static_cast<std::size_t>(rest % 3)];
      const std::string name = first + std::to_string(i);
      head += name + ": v\r\n";
      if (first == 'p') wanted += name + ": v\r\n";
      if (first == 'c') wanted += name + ": new\r\n";
    }
    EXPECT_EQ(written(read(head)), wanted) << head;
  }
}

TEST(HeadWriterTest, WhatPassesIsWrittenAsWeWriteFields) {
  EXPECT_EQ(written(read("p1:a\r\np2: b\r\np3: \t c \r\np4:\r\np5: d\r\n")),
            "before\r\np1: a\r\np2: b\r\np3: c\r\np4: \r\np5: d\r\n");
}

TEST(HeadWriterTest, NoFieldsAreNothing) { EXPECT_EQ(written(FieldList()), "before\r\n"); }

}  // namespace
}  // namespace hpc
