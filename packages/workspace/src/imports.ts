const pattern =
  /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm

/** Names of the modules that a source imports or re-exports from; comments do not count. */
export function importsOf(text: string): string[] {
  // Only what begins a line is taken for a comment: 'a/*' in a string would hide what follows it.
  const code = text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(pattern)].map((match) => (match[1] ?? match[2] ?? match[3]) as string)
}
