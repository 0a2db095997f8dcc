/** These words, or a copy of them with room for so many. */
export function withRoom(words: Int32Array<ArrayBuffer>, wanted: number): Int32Array<ArrayBuffer> {
  if (wanted <= words.length) return words;
  const larger = new Int32Array(Math.max(wanted, words.length * 2));
  larger.set(words);
  return larger;
}
