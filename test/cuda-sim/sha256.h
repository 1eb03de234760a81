/** SHA-256 (FIPS 180-4) of a text, as 64 hexadecimal digits. */
#ifndef ATPC_SIMULATED_SHA256
#define ATPC_SIMULATED_SHA256

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace sha256_detail {
/** The first 32 bits of the fractional parts of roots of the first primes (section 4.2.2 and 5.3.3). */
template <std::size_t count>
std::array<std::uint32_t, count> root_bits(long double (*root)(long double)) {
  std::array<std::uint32_t, count> bits{};
  std::size_t found = 0;
  for (unsigned number = 2; found < count; number++) {
    bool prime = true;
    for (unsigned divisor = 2; divisor * divisor <= number; divisor++) prime = prime && number % divisor != 0;
    if (!prime) continue;
    const long double value = root(static_cast<long double>(number));
    bits[found++] = static_cast<std::uint32_t>((value - std::floor(value)) * 4294967296.0L);
  }
  return bits;
}
}  // namespace sha256_detail

inline std::string sha256(std::string_view text) {
  static const auto rounds = sha256_detail::root_bits<64>([](long double value) { return std::cbrt(value); });
  auto state = sha256_detail::root_bits<8>([](long double value) { return std::sqrt(value); });
  std::string bytes(text);
  bytes += static_cast<char>(0x80);
  while (bytes.size() % 64 != 56) bytes += '\0';
  const std::uint64_t bits = std::uint64_t(text.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift & 255);
  for (std::size_t block = 0; block < bytes.size(); block += 64) {
    std::array<std::uint32_t, 64> words{};
    for (std::size_t index = 0; index < 64; index++) {
      if (index < 16) {
        for (std::size_t byte = 0; byte < 4; byte++)
          words[index] = words[index] << 8 | static_cast<std::uint8_t>(bytes[block + index * 4 + byte]);
        continue;
      }
      const std::uint32_t a = words[index - 15], b = words[index - 2];
      words[index] = words[index - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + words[index - 7] +
                     (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t index = 0; index < 64; index++) {
      const std::uint32_t one =
          h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + rounds[index] + words[index];
      const std::uint32_t two = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    const std::array<std::uint32_t, 8> step = {a, b, c, d, e, f, g, h};
    for (std::size_t index = 0; index < 8; index++) state[index] += step[index];
  }
  std::string digits;
  for (const std::uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 15];
  return digits;
}

#endif
