import { fail, ok, type Result } from "./problem.ts";

/** A DuckDB type that Penstock carries. See docs/types.md for what each is in Arrow, TypeScript and JSON. */
export type SqlType =
  | { kind: "scalar"; name: ScalarName }
  | { kind: "decimal"; width: number; scale: number }
  | { kind: "enum"; values: string[] }
  | { kind: "list"; item: SqlType; size?: number }
  | { kind: "struct"; fields: { name: string; type: SqlType }[] }
  | { kind: "map"; key: SqlType; value: SqlType };

/** Width in bytes of one value in a DuckDB vector; texts and blobs are 16-byte views. */
export const scalars = {
  BOOLEAN: 1,
  TINYINT: 1,
  SMALLINT: 2,
  INTEGER: 4,
  BIGINT: 8,
  HUGEINT: 16,
  UTINYINT: 1,
  USMALLINT: 2,
  UINTEGER: 4,
  UBIGINT: 8,
  UHUGEINT: 16,
  FLOAT: 4,
  DOUBLE: 8,
  VARCHAR: 16,
  JSON: 16,
  BLOB: 16,
  UUID: 16,
  DATE: 4,
  TIME: 8,
  TIMESTAMP: 8,
  TIMESTAMP_S: 8,
  TIMESTAMP_MS: 8,
  TIMESTAMP_NS: 8,
  "TIMESTAMP WITH TIME ZONE": 8,
} as const;
export type ScalarName = keyof typeof scalars;

const synonyms: Record<string, ScalarName> = {
  BOOL: "BOOLEAN",
  LOGICAL: "BOOLEAN",
  INT1: "TINYINT",
  INT2: "SMALLINT",
  SHORT: "SMALLINT",
  INT4: "INTEGER",
  INT: "INTEGER",
  SIGNED: "INTEGER",
  INT8: "BIGINT",
  LONG: "BIGINT",
  INT128: "HUGEINT",
  UINT8: "UTINYINT",
  UINT16: "USMALLINT",
  UINT32: "UINTEGER",
  UINT64: "UBIGINT",
  UINT128: "UHUGEINT",
  FLOAT4: "FLOAT",
  REAL: "FLOAT",
  FLOAT8: "DOUBLE",
  TEXT: "VARCHAR",
  STRING: "VARCHAR",
  CHAR: "VARCHAR",
  BPCHAR: "VARCHAR",
  BYTEA: "BLOB",
  BINARY: "BLOB",
  VARBINARY: "BLOB",
  DATETIME: "TIMESTAMP",
  TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
};

/** Reads DuckDB's text for a type, e.g. `DECIMAL(18,3)`, `STRUCT(a INTEGER, "b c" VARCHAR)[]`. */
export function parseType(text: string): Result<SqlType> {
  const reader = new TypeReader(text);
  const type = reader.type();
  if (type === undefined || !reader.isAtEnd()) {
    return fail({
      code: "type-not-carried",
      message: `The type ${text} is not one that Penstock carries.`,
      hint: "Cast the column in the source or query, for example to VARCHAR, BIGINT or DOUBLE.",
    });
  }
  return ok(type);
}

/** DuckDB's own text for the type, as `DESCRIBE` prints it. */
export function formatType(type: SqlType): string {
  switch (type.kind) {
    case "scalar":
      return type.name;
    case "decimal":
      return `DECIMAL(${type.width},${type.scale})`;
    case "enum":
      return `ENUM(${type.values.map(quoteText).join(", ")})`;
    case "list":
      return `${formatType(type.item)}[${type.size ?? ""}]`;
    case "struct":
      return `STRUCT(${type.fields.map((f) => `${quoteName(f.name)} ${formatType(f.type)}`).join(", ")})`;
    case "map":
      return `MAP(${formatType(type.key)}, ${formatType(type.value)})`;
  }
}

/** A name as SQL writes it, whatever characters it holds. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL writes it. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

class TypeReader {
  private at = 0;
  private readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  isAtEnd(): boolean {
    this.space();
    return this.at === this.text.length;
  }

  type(): SqlType | undefined {
    let type = this.base();
    while (type !== undefined && this.take("[")) {
      const size = this.match(/\d+/y);
      if (!this.take("]")) return undefined;
      type = { kind: "list", item: type, ...(size ? { size: Number(size) } : {}) };
    }
    return type;
  }

  private base(): SqlType | undefined {
    const word = this.match(/[A-Za-z][A-Za-z0-9_]*/y)?.toUpperCase();
    if (word === undefined) return undefined;
    if (word === "DECIMAL" || word === "NUMERIC") return this.decimal();
    if (word === "ENUM")
      return this.parenthesised(
        () => this.quoted("'"),
        (values) => ({ kind: "enum", values }),
      );
    if (word === "STRUCT" || word === "ROW") return this.struct();
    if (word === "MAP") return this.map();
    if (word === "TIMESTAMP" && this.match(/WITH\s+TIME\s+ZONE\b/iy)) {
      return { kind: "scalar", name: "TIMESTAMP WITH TIME ZONE" };
    }
    if (word === "TIME" && this.match(/WITH\s+TIME\s+ZONE\b/iy)) return undefined;
    const name = isScalarName(word) ? word : synonyms[word];
    return name === undefined ? undefined : { kind: "scalar", name };
  }

  private decimal(): SqlType | undefined {
    if (!this.take("(")) return { kind: "decimal", width: 18, scale: 3 };
    const width = Number(this.match(/\d+/y));
    const scale = this.take(",") ? Number(this.match(/\d+/y)) : 0;
    if (!this.take(")") || !(width >= 1 && width <= 38 && scale <= width)) return undefined;
    return { kind: "decimal", width, scale };
  }

  private struct(): SqlType | undefined {
    const field = () => {
      const name = this.quoted('"') ?? this.match(/[^\s"(),]+/y);
      const type = name === undefined ? undefined : this.type();
      return name === undefined || type === undefined ? undefined : { name, type };
    };
    return this.parenthesised(field, (fields) => ({ kind: "struct", fields }));
  }

  private map(): SqlType | undefined {
    return this.parenthesised(
      () => this.type(),
      ([key, value, ...rest]) =>
        key && value && rest.length === 0 ? { kind: "map", key, value } : undefined,
    );
  }

  private parenthesised<T>(
    item: () => T | undefined,
    make: (items: T[]) => SqlType | undefined,
  ): SqlType | undefined {
    if (!this.take("(")) return undefined;
    const items: T[] = [];
    do {
      const next = item();
      if (next === undefined) return undefined;
      items.push(next);
    } while (this.take(","));
    return this.take(")") ? make(items) : undefined;
  }

  private quoted(quote: string): string | undefined {
    const found = this.match(
      new RegExp(`${quote}((?:[^${quote}]|${quote}${quote})*)${quote}`, "y"),
    );
    return found?.slice(1, -1).replaceAll(quote + quote, quote);
  }

  private take(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private match(pattern: RegExp): string | undefined {
    this.space();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at += 1;
  }
}

function isScalarName(word: string): word is ScalarName {
  return Object.hasOwn(scalars, word);
}
