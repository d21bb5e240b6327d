/**
 * A column's name as Avro can write it: `[A-Za-z_][A-Za-z0-9_]*`. What Avro cannot write becomes its code between `_x` and `_` (as in
 * XML Schema to SQL mappings, ISO 9075-14), so that two columns never meet in one name by chance.
 */
export function avroName(name: string): string {
  const written = name.replaceAll(
    /[^A-Za-z0-9_]/gu,
    (character) => `_x${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}_`,
  );
  return /^[A-Za-z_]/.test(written) ? written : `_${written}`;
}

export function isAvroName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}
