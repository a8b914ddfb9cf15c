#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/http_handler.h"
#include "node-proxy/keep_prefix_table.h"
#include "node-proxy/pages.h"

namespace hpc {

/// What one forwarded request is about, as the handler found it. Views outlive the policy: they
/// are into the request's head.
struct ForwardContext {
  std::uint16_t port = 0;       // 0: a Unix socket
  bool token_holder = false;    // its X-Forwarded-* and Forwarded are believed
  bool navigation = false;      // a person looks at the answer
  std::string peer_address;     // "127.0.0.1"
  std::string prefix;           // the path in front of REST as the browser used it (external)
  std::string_view rest;        // what follows it in what the browser asked for
  bool adds_slash = false;      // between the two
  bool keep_prefix = false;     // the app is asked for all of it, else for what follows the prefix
  bool bare_prefix = false;     // asked for the prefix without its slash
  bool bare_root = false;       // the app's first page is there
  bool base_rewrite = false;    // links inside pages get the prefix
  std::string last_app_cookie;  // Set-Cookie of ours that goes with the answer; empty: none
  // For links on pages of ours (home_link): the request's path, and its prefix here.
  std::string_view path;
  std::string_view route_prefix;
  // The request as it was meant, where that is another one than came (root_fallback.h): for views
  // into it.
  std::unique_ptr<const RequestHead> meant;
  // What is answered when the app cannot be reached; outlives the policy.
  const Pages* pages = nullptr;
  // Where to note that the app knows its prefix; outlives the policy. May be nullptr.
  KeepPrefixTable* keep_prefix_table = nullptr;
};

/// How requests and answers are changed between a browser and an app (contract 1.4). `head`
/// outlives the policy.
std::unique_ptr<ForwardPolicy> make_forward_policy(const RequestHead& head, ForwardContext context);

/// The prefix that the browser used: from a token holder X-Forwarded-Prefix where it is a plain
/// absolute path, else `own`.
std::string external_prefix(const RequestHead& head, bool token_holder, std::string_view own);

}  // namespace hpc
