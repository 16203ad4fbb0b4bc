import type { OnnxGraph, OnnxNode } from "./model-proto.ts";

/** Operations whose result may be a view of their input, or be fused into the node that reads it. */
const VIEWS = ["Reshape", "Transpose", "Identity"];

/**
 * Whether output `written` may be stored over input `read` while the graph runs: it may when every node that reads the
 * input comes before the node that makes the output in the order of data, whatever order ONNX Runtime chooses. ONNX
 * Runtime does not check this when one buffer is both.
 */
export function mayOverwrite(graph: OnnxGraph, read: string, written: string): boolean {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node])));
  const writer = makers.get(written);
  if (writer === undefined) return false;
  const before = ancestors(writer, makers);
  const names = new Set([read]);
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => names.has(input))) continue;
    if (VIEWS.includes(node.op) && node !== writer) for (const output of node.outputs) names.add(output);
    else if (!before.has(node)) return false;
  }
  return true;
}

/** The nodes whose results reach `last`, itself excluded. */
function ancestors(last: OnnxNode, makers: ReadonlyMap<string, OnnxNode>): Set<OnnxNode> {
  const found = new Set<OnnxNode>();
  const waiting = [last];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const input of node.inputs) {
      const maker = makers.get(input);
      if (maker === undefined || found.has(maker)) continue;
      found.add(maker);
      waiting.push(maker);
    }
  }
  return found;
}
