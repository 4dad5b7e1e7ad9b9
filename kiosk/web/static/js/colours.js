// The colour of a feeling: valence turns the hue from blue over rose to gold, arousal makes it glow.

const HUES = [[-1, 255], [-0.35, 295], [0.1, 370], [0.5, 415], [1, 445]]; // degrees of OKLCH, past 360 for the way round

/** The colour as [red, green, blue], each 0 to 255. */
export function feelingColour(valence, arousal) {
  const glow = (Math.max(-1, Math.min(1, arousal)) + 1) / 2;
  return fromOklch(0.72 + 0.08 * glow, 0.07 + 0.08 * glow, hue(Math.max(-1, Math.min(1, valence))));
}

/** The colour in CSS. */
export function css([red, green, blue], alpha = 1) {
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}

function hue(valence) {
  for (let index = 1; index < HUES.length; index += 1) {
    const [[low, from], [high, to]] = [HUES[index - 1], HUES[index]];
    if (valence <= high) return from + ((to - from) * (valence - low)) / (high - low);
  }
  return HUES.at(-1)[1];
}

// Björn Ottosson, "A perceptual color space for image processing" (2020).
function fromOklch(lightness, chroma, degrees) {
  const a = chroma * Math.cos((degrees * Math.PI) / 180);
  const b = chroma * Math.sin((degrees * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(encoded);
}

function encoded(linear) {
  const clipped = Math.max(0, Math.min(1, linear));
  const share = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(255 * share);
}
