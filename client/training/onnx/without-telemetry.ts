/**
 * ONNX Runtime 1.30 reports its use to its maker, from every process that opens a session, unless it is told not to
 * before it is loaded. Nothing here talks to anyone but the coordinator.
 */
process.env.ORT_DISABLE_TELEMETRY = "1";
