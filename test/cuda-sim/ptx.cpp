#include "ptx.h"

#include <cctype>
#include <cstdlib>
#include <utility>

namespace {
std::string without_comments(std::string_view text) {
  std::string clean;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 2) == "//") {
      while (at < text.size() && text[at] != '\n') at++;
    } else if (text.substr(at, 2) == "/*") {
      const std::size_t end = text.find("*/", at);
      at = end == std::string_view::npos ? text.size() : end + 2;
    } else {
      clean += text[at++];
    }
  }
  return clean;
}

/** The numbers after a directive, multiplied: `.maxntid 16, 16, 1` is 256. */
unsigned product_after(std::string_view text, std::size_t at) {
  unsigned product = 1;
  for (;;) {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) at++;
    unsigned number = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) number = number * 10 + unsigned(text[at++] - '0');
    product *= number;
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) at++;
    if (at >= text.size() || text[at] != ',') return product;
    at++;
  }
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) count++;
  return count;
}

/** Bytes of `.shared .align 4 .b8 name[1024];` in a kernel, each. */
std::size_t shared_in(std::string_view body) {
  std::size_t bytes = 0;
  for (std::size_t at = body.find(".shared .align"); at != std::string_view::npos; at = body.find(".shared .align", at + 1)) {
    const std::size_t end = body.find(';', at), open = body.find('[', at);
    if (open < end) bytes += std::strtoull(std::string(body.substr(open + 1, 20)).c_str(), nullptr, 10);
  }
  return bytes;
}
}  // namespace

bool parse_ptx(std::string_view with_comments, Ptx &ptx) {
  const std::string text = without_comments(with_comments);
  const std::size_t version = text.find(".version "), target = text.find(".target sm_");
  if (version == std::string::npos || target == std::string::npos) return false;
  const std::string number = text.substr(version + 9, 8);
  const std::size_t point = number.find('.');
  ptx.version = std::atoi(number.c_str()) * 10 + (point == std::string::npos ? 0 : std::atoi(number.c_str() + point + 1));
  ptx.target = std::atoi(text.c_str() + target + 11);
  for (std::size_t at = text.find(".entry"); at != std::string::npos;) {
    const std::size_t next = text.find(".entry", at + 6), open = text.find('(', at), close = text.find(')', at);
    if (open == std::string::npos || close == std::string::npos) return false;
    PtxKernel kernel;
    for (const char letter : text.substr(at + 6, open - at - 6))
      if (!std::isspace(static_cast<unsigned char>(letter))) kernel.name += letter;
    const std::string_view parameters = std::string_view(text).substr(open, close - open);
    kernel.parameters = count_of(parameters, ".param");
    kernel.only_pointers = kernel.parameters == count_of(parameters, ".u64") + count_of(parameters, ".b64");
    const std::string_view rest = std::string_view(text).substr(close, next == std::string::npos ? next : next - close);
    const std::string_view directives = rest.substr(0, rest.find('{'));
    for (const auto &[name, exact] : {std::pair{".maxntid", false}, std::pair{".reqntid", true}}) {
      const std::size_t found = directives.find(name);
      if (found == std::string_view::npos) continue;
      kernel.most_threads = product_after(directives, found + 8);
      kernel.exact_threads = exact;
    }
    kernel.shared_bytes = shared_in(rest);
    ptx.kernels.push_back(kernel);
    at = next;
  }
  return true;
}

int driver_for_ptx(int version) {
  // 7.0 to 7.8 came with 11.0 to 11.8, 8.0 to 8.5 with 12.0 to 12.5, and then 8.6 with 12.7, 8.7 with 12.8, 8.8 with 12.9.
  if (version >= 90) return 13000 + (version - 90) * 10;
  if (version >= 86) return 12000 + (version - 79) * 10;
  if (version >= 80) return 12000 + (version - 80) * 10;
  return 11000 + (version < 70 ? 0 : version - 70) * 10;
}
