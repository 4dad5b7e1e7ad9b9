// How many characters a person sees: the server counts the same (Unicode Standard Annex 29).

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter("en", { granularity: "grapheme" }) : null;

// Where a browser cannot tell: a pair of regional letters, a syllable of Korean letters or any other sign, with all that
// may hang on it. It joins more than the standard does, so that nobody is told of too many who has not.
const CLUSTER =
  /(?:\r\n|\p{RI}\p{RI}|[\u1100-\u115f\ua960-\ua97c]*[\uac00-\ud7a3\u1160-\u11ff\ud7b0-\ud7fb]+|[^])(?:[\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d](?=\p{L})[^]|[\p{M}\p{EMod}\u200c\uff9e\uff9f\u{e0020}-\u{e007f}]|\u200d[^]?)*/gu;

/** Characters of a text. */
export function characters(text) {
  let count = 0;
  for (const _ of segmenter === null ? text.matchAll(CLUSTER) : segmenter.segment(text)) count += 1;
  return count;
}
