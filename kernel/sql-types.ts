/** The TypeScript type text of a DuckDB type, branded where TypeScript alone would forget which type it was. */
export function typescriptOf(sqlType: string, brand = "Sql"): string {
  const type = sqlType.trim();
  const upper = type.toUpperCase();
  const plain = plainTypes[upper];
  if (plain) return plain;
  const base = baseOf(type, upper, brand);
  return `${brand}<${base}, ${JSON.stringify(type)}>`;
}

const plainTypes: Record<string, string> = {
  BOOLEAN: "boolean",
  DOUBLE: "number",
  VARCHAR: "string",
  TIMESTAMP: "Date",
  HUGEINT: "bigint",
  BLOB: "Uint8Array",
};

const numbers = new Set([
  "TINYINT",
  "SMALLINT",
  "INTEGER",
  "BIGINT",
  "UTINYINT",
  "USMALLINT",
  "UINTEGER",
  "FLOAT",
]);

function baseOf(type: string, upper: string, brand: string): string {
  const list = /^(.*)\[\d*\]$/s.exec(type);
  if (list?.[1] !== undefined) return `(${typescriptOf(list[1], brand)} | null)[]`;
  if (numbers.has(upper)) return "number";
  if (upper === "UBIGINT" || upper === "UHUGEINT") return "bigint";
  if (upper.startsWith("DATE") || upper.startsWith("TIMESTAMP")) return "Date";
  if (upper.startsWith("STRUCT(")) {
    const fields = fieldsOf(type).map(
      ({ name, type: inner }) => `${JSON.stringify(name)}: ${typescriptOf(inner, brand)} | null`,
    );
    return `{ ${fields.join("; ")} }`;
  }
  if (upper.startsWith("MAP(")) {
    const [key = "VARCHAR", value = "VARCHAR"] = splitTop(inside(type));
    return `Map<${typescriptOf(key, brand)}, ${typescriptOf(value, brand)} | null>`;
  }
  return "string";
}

function fieldsOf(type: string): { name: string; type: string }[] {
  return splitTop(inside(type)).map((field) => {
    const quoted = /^"((?:[^"]|"")*)"\s+(.*)$/s.exec(field);
    if (quoted) return { name: (quoted[1] ?? "").replaceAll('""', '"'), type: quoted[2] ?? "" };
    const space = field.indexOf(" ");
    return { name: field.slice(0, space), type: field.slice(space + 1) };
  });
}

function inside(type: string): string {
  return type.slice(type.indexOf("(") + 1, type.lastIndexOf(")"));
}

/** Splits at commas that stand in no bracket and no quotes. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = "";
  let part = "";
  for (const character of text) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    if (character === "," && depth === 0 && quote === "") {
      parts.push(part.trim());
      part = "";
    } else part += character;
  }
  if (part.trim() !== "") parts.push(part.trim());
  return parts;
}

/** A SQL name as DuckDB writes it in a nested type. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
