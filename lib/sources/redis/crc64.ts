/**
 * CRC-64 as Redis computes it (Jones: polynomial ad93d23594c935a9, reflected, begins with zero, nothing is inverted at the
 * end; of `123456789` it is e9c6d914c4b8d9ca). In halves of 32 bits and eight bytes at a time, because BigInt would be
 * slower than the network.
 */
export class Crc64 {
  #low = 0;
  #high = 0;

  update(bytes: Uint8Array): this {
    let [low, high] = [this.#low, this.#high];
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      low ^= (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      high ^= (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24));
      const [a, b, c, d] = [1792 + (low & 255), 1536 + ((low >>> 8) & 255), 1280 + ((low >>> 16) & 255), 1024 + (low >>> 24)];
      const [e, f, g, h] = [768 + (high & 255), 512 + ((high >>> 8) & 255), 256 + ((high >>> 16) & 255), high >>> 24];
      low = LOW[a]! ^ LOW[b]! ^ LOW[c]! ^ LOW[d]! ^ LOW[e]! ^ LOW[f]! ^ LOW[g]! ^ LOW[h]!;
      high = HIGH[a]! ^ HIGH[b]! ^ HIGH[c]! ^ HIGH[d]! ^ HIGH[e]! ^ HIGH[f]! ^ HIGH[g]! ^ HIGH[h]!;
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ bytes[at]!) & 255;
      low = ((low >>> 8) | (high << 24)) ^ LOW[index]!;
      high = (high >>> 8) ^ HIGH[index]!;
    }
    [this.#low, this.#high] = [low, high];
    return this;
  }

  /** Eight bytes, the lowest first, as files and payloads have them. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(this.#low | 0, 0);
    bytes.writeInt32LE(this.#high | 0, 4);
    return bytes;
  }
}

/** Row n of 256 is the CRC of a byte that n zero bytes follow. */
const LOW = new Int32Array(8 * 256);
const HIGH = new Int32Array(8 * 256);
/** The polynomial with its bits in reverse. */
const [POLYNOMIAL_LOW, POLYNOMIAL_HIGH] = [0xac4b_c9b5 | 0, 0x95ac_9329 | 0];

for (let byte = 0; byte < 256; byte++) {
  let [low, high] = [byte, 0];
  for (let bit = 0; bit < 8; bit++) {
    const isOdd = (low & 1) === 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (isOdd) [low, high] = [low ^ POLYNOMIAL_LOW, high ^ POLYNOMIAL_HIGH];
  }
  [LOW[byte], HIGH[byte]] = [low, high];
}
for (let at = 256; at < LOW.length; at++) {
  const [low, high] = [LOW[at - 256]!, HIGH[at - 256]!];
  LOW[at] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255]!;
  HIGH[at] = (high >>> 8) ^ HIGH[low & 255]!;
}
