// Shares of categories: texts in %, as parts of 1, and what is wrong with them.

/** Of a text in %, without what sums in binary add. */
export const shareOf = (text) => Number((Number(text) / 100).toPrecision(12));

/** What is wrong with inputs of shares, or nothing; `all` says that they are of all categories. */
export function wrongShares(inputs, all) {
  const set = inputs.filter((input) => input.value);
  if (inputs.some((input) => input.validity.badInput || Number(input.value) < 0)) return "Enter numbers from 0 to 100.";
  if (!set.length) return "Set at least one share, or choose all equally common.";
  const sum = Number(set.reduce((total, input) => total + Number(input.value), 0).toPrecision(9));
  if (sum > 100) return `The shares sum to ${sum} %: lower some, so that they sum to at most 100.`;
  if (all && set.length === inputs.length && sum < 100) return `The shares sum to ${sum} %: leave one empty, or make them sum to 100.`;
  return "";
}
