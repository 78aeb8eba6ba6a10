/** XML as a tree of elements by their local names. Entities of a document type are not expanded. Pure. */
import { parseXml as parse, XmlElement } from '@rgrove/parse-xml';

export interface Element {
  /** Without its prefix. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** All text in it, trimmed. */
  readonly text: string;
  readonly children: readonly Element[];
  /** Where it begins in the text. */
  readonly at: number;
}

/** The root element, or undefined where `text` is not well-formed. */
export function rootOf(text: string): Element | undefined {
  try {
    const root = parse(text, { includeOffsets: true }).children.find((each) => each instanceof XmlElement);
    return root && elementOf(root);
  } catch {
    return undefined;
  }
}

function elementOf({ name, attributes, text, children, start }: XmlElement): Element {
  const elements = children.filter((each) => each instanceof XmlElement).map(elementOf);
  return { name: name.replace(/^.*:/, ''), attributes, text: text.trim(), children: elements, at: start };
}

/** All elements below `path`: names, each inside the one before. */
export function all(from: Element | undefined, ...path: readonly string[]): readonly Element[] {
  const start = from === undefined ? [] : [from];
  return path.reduce((found, name) => found.flatMap(({ children }) => children.filter((each) => each.name === name)), start);
}

/** The first of them. */
export function first(from: Element | undefined, ...path: readonly string[]): Element | undefined {
  return all(from, ...path)[0];
}

/** Its text, or an empty one. */
export function textAt(from: Element | undefined, ...path: readonly string[]): string {
  return first(from, ...path)?.text ?? '';
}
