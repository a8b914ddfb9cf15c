#pragma once
#include <string>
#include <string_view>

#include "common/escape_html.h"
#include "common/http_handler.h"
#include "common/http_head.h"

namespace hpc {

// The answers that a program gives itself, for people and for programs: a navigation gets a small
// HTML page (strict Content-Security-Policy, nosniff, never stored), others RFC 9457
// application/problem+json. Foreign bytes are escaped or left out by the caller's choice of
// function: `detail` and `html` are ours, everything else goes through escape_html.

// Long enough not to load a node, short enough that a person does not reach for the reload button.
constexpr int kRetrySeconds = 2;

/// "<p>" around the escaped text.
std::string html_paragraph(std::string_view text);

/// A detail as problems have it, "there is nothing here", in the form of a page: with a capital
/// letter, unless it begins with the name of a program of ours, and a full stop.
std::string as_sentence(std::string_view detail);

/// Will a person look at the answer? Sec-Fetch-Mode: navigate, or Accept with text/html where a
/// browser does not say.
bool is_navigation(const RequestHead& head);

/// A page of ours. `html` is its body below the heading, already escaped. `refreshes`: it loads
/// itself anew every kRetrySeconds, without JavaScript.
LocalAnswer html_answer(int status, std::string_view title, std::string_view html,
                        bool refreshes = false);
/// The same with forms that go to this host. No other page may hold it in a frame or keep a handle
/// of its window (contract 2.2), and a Referer of it stays on this host: with none at all browsers
/// would call the Origin of its forms "null".
LocalAnswer form_page_answer(int status, std::string_view title, std::string_view html,
                             bool refreshes = false);
LocalAnswer json_answer(int status, std::string body);
/// `member` is one more member of the object, `"name":value`, already JSON; empty for none.
LocalAnswer problem_answer(int status, std::string_view detail, std::string_view member = {});
/// The page or the problem, as the asker can use it.
LocalAnswer error_answer(int status, std::string_view detail, bool navigation);
/// Sends a request on to the app that it was meant for, with its method and body (root_fallback.h).
/// Never kept: from another app's page the same path means another app.
LocalAnswer root_fallback_answer(std::string location);

}  // namespace hpc
