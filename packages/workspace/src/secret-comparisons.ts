const secret = String.raw`\b(?:\w+\.)*\w*(?:secret|proof|password|passphrase|signature|hmac)\b`
/** To ask whether there is one, or of which kind, tells nothing of it. */
const harmless = `(?:undefined|null|true|false|''|"")`
const comparisons = [
  new RegExp(String.raw`${secret}\s*[!=]==(?!\s*${harmless})`, 'i'),
  new RegExp(String.raw`(?<!${harmless}\)?\s*)[!=]==\s*(?:this\.#)?${secret}(?![.(])`, 'i'),
]

/**
 * Lines on which something secret is compared by `===`, which takes the longer the more of it is right: an
 * attacker could find it out piece by piece. Told by its name, so one that is called otherwise is not seen.
 */
export function linesComparingSecrets(text: string): number[] {
  return text
    .split('\n')
    .flatMap((line, at) =>
      !line.includes('typeof ') && comparisons.some((one) => one.test(line)) ? [at + 1] : [],
    )
}
