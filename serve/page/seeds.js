// Seeds: made up, and seen to be whole numbers that are kept exactly.

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;

/** What is wrong with the text of a seed, or nothing. */
export const wrongSeed = (text) =>
  (/^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? "" : "Enter a whole number from 0.");
