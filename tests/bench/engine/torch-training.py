"""The baseline of bench:engine: mini-batch SGD in PyTorch on one thread.

A request is one JSON object a line on stdin, an answer one a line on stdout:

  {"op": "about"}                                  -> versions, threads, and the BLAS that is loaded
  {"op": "load", "model", "layout", "parameters", "examples", "labels", "learningRate"}
                                               arrays in base64, float32 and int32; layout: contiguous, channels_last
  {"op": "train", "form", "order", "batch"}        -> CPU seconds, loss summed over the steps
  {"op": "parameters"}                             -> the flat vector, in the order and layout of tf.layers

`form` is "autograd" or "manual" (the backward pass written by hand). Training goes on from where the last one ended,
like an epoch after an epoch. PyTorch keeps images contiguous by itself; its convolutions are faster with channels_last.
"""

import base64
import ctypes
import json
import re
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)

SHAPES = {
    "2nn": [(784, 200), (200,), (200, 200), (200,), (200, 10), (10,)],
    "cnn": [(5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,), (3136, 512), (512,), (512, 10), (10,)],
}


def decoded(text, dtype):
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=dtype)


LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def to_torch(value, layout):
    """tf.layers keeps kernels as [in, out] and [H, W, in, out], PyTorch as [out, in] and [out, in, H, W]."""
    if value.dim() == 4:
        return value.permute(3, 2, 0, 1).contiguous(memory_format=layout)
    return value.t().contiguous() if value.dim() == 2 else value.clone()


def from_torch(value):
    if value.dim() == 4:
        return value.permute(2, 3, 1, 0)
    return value.t() if value.dim() == 2 else value


def flattened(images):
    """As tf.layers flattens, [H, W, C]: under channels_last that is a view, else a copy of 13 kB an image."""
    return images.permute(0, 2, 3, 1).flatten(1)


def loss_2nn(x, y, w1, b1, w2, b2, w3, b3):
    h = F.relu_(F.linear(x, w1, b1))
    h = F.relu_(F.linear(h, w2, b2))
    return F.cross_entropy(F.linear(h, w3, b3), y)


def loss_cnn(x, y, c1, d1, c2, d2, w1, b1, w2, b2):
    h = F.max_pool2d(F.relu_(F.conv2d(x, c1, d1, padding=2)), 2)
    h = F.max_pool2d(F.relu_(F.conv2d(h, c2, d2, padding=2)), 2)
    h = F.relu_(F.linear(flattened(h), w1, b1))
    return F.cross_entropy(F.linear(h, w2, b2), y)


LOSS = {"2nn": loss_2nn, "cnn": loss_cnn}


def autograd_step(state, x, y):
    loss = LOSS[state.model](x, y, *state.parameters)
    gradients = torch.autograd.grad(loss, state.parameters)
    with torch.no_grad():
        for parameter, gradient in zip(state.parameters, gradients):
            parameter.add_(gradient, alpha=-state.learning_rate)
    return loss.item()


def cross_entropy_by_hand(logits, y, scale):
    """The mean loss, and scale / batch times its gradient."""
    log_probabilities = torch.log_softmax(logits, 1)
    loss = F.nll_loss(log_probabilities, y).item()
    d = log_probabilities.exp_()
    d[torch.arange(len(y)), y] -= 1
    return loss, d.mul_(scale / len(y))


def relu_backward_(d, h):
    return torch.ops.aten.threshold_backward(d, h, 0)


def manual_step_2nn(state, x, y):
    w1, b1, w2, b2, w3, b3 = state.parameters
    h1 = torch.addmm(b1, x, w1.t()).relu_()
    h2 = torch.addmm(b2, h1, w2.t()).relu_()
    loss, d3 = cross_entropy_by_hand(torch.addmm(b3, h2, w3.t()), y, -state.learning_rate)
    d2 = relu_backward_(torch.mm(d3, w3), h2)
    d1 = relu_backward_(torch.mm(d2, w2), h1)
    for w, b, d, h in ((w3, b3, d3, h2), (w2, b2, d2, h1), (w1, b1, d1, x)):
        w.addmm_(d.t(), h)
        b.add_(d.sum(0))
    return loss


def manual_step_cnn(state, x, y):
    c1, d1, c2, d2, w1, b1, w2, b2 = state.parameters
    a1 = F.conv2d(x, c1, d1, padding=2).relu_()
    p1, i1 = torch.ops.aten.max_pool2d_with_indices(a1, [2, 2], [2, 2])
    a2 = F.conv2d(p1, c2, d2, padding=2).relu_()
    p2, i2 = torch.ops.aten.max_pool2d_with_indices(a2, [2, 2], [2, 2])
    f = flattened(p2)
    h = torch.addmm(b1, f, w1.t()).relu_()
    loss, dl = cross_entropy_by_hand(torch.addmm(b2, h, w2.t()), y, -state.learning_rate)
    dh = relu_backward_(torch.mm(dl, w2), h)
    dp2 = torch.mm(dh, w1).view(-1, 7, 7, 64).permute(0, 3, 1, 2)
    pool = ([2, 2], [2, 2], [0, 0], [1, 1], False)
    da2 = relu_backward_(torch.ops.aten.max_pool2d_with_indices_backward(dp2, a2, *pool, i2), a2)
    conv = ([1, 1], [2, 2], [1, 1], False, [0, 0], 1)
    back = torch.ops.aten.convolution_backward
    dp1, dc2, dd2 = back(da2, p1, c2, [64], *conv, [True, True, True])
    da1 = relu_backward_(torch.ops.aten.max_pool2d_with_indices_backward(dp1, a1, *pool, i1), a1)
    _, dc1, dd1 = back(da1, x, c1, [32], *conv, [False, True, True])
    w2.addmm_(dl.t(), h)
    b2.add_(dl.sum(0))
    w1.addmm_(dh.t(), f)
    b1.add_(dh.sum(0))
    for parameter, update in ((c2, dc2), (d2, dd2), (c1, dc1), (d1, dd1)):
        parameter.add_(update)
    return loss


MANUAL_STEP = {"2nn": manual_step_2nn, "cnn": manual_step_cnn}


class State:
    def __init__(self, request):
        self.model = request["model"]
        self.learning_rate = request["learningRate"]
        shapes = SHAPES[self.model]
        flat = decoded(request["parameters"], torch.float32)
        sizes = [torch.Size(shape).numel() for shape in shapes]
        parts = zip(flat.split(sizes), shapes)
        layout = LAYOUTS[request["layout"]]
        self.parameters = [to_torch(part.view(shape), layout).requires_grad_() for part, shape in parts]
        self.labels = decoded(request["labels"], torch.int32).long()
        examples = decoded(request["examples"], torch.float32).view(-1, 784)
        if self.model == "cnn":
            examples = examples.view(-1, 1, 28, 28).contiguous(memory_format=layout)
        self.examples = examples

    def train(self, form, order, batch):
        if form == "autograd":
            return sum(autograd_step(self, self.examples[part], self.labels[part]) for part in order.split(batch))
        step = MANUAL_STEP[self.model]
        with torch.no_grad():
            return sum(step(self, self.examples[part], self.labels[part]) for part in order.split(batch))

    def flat(self):
        parts = [from_torch(parameter.detach()).reshape(-1) for parameter in self.parameters]
        return torch.cat(parts).numpy().tobytes()


def loaded_blas():
    """Which library answers to BLAS calls in this process, and which kernels it has chosen for this processor."""
    with open("/proc/self/maps") as maps:
        libraries = sorted({line.split()[-1] for line in maps if re.search(r"blas|mkl_", line.split()[-1])})
    for path in libraries:
        library = ctypes.CDLL(path)
        if hasattr(library, "openblas_get_config"):
            library.openblas_get_config.restype = ctypes.c_char_p
            library.openblas_get_corename.restype = ctypes.c_char_p
            config = library.openblas_get_config().decode()
            return {"name": "OpenBLAS", "config": config, "core": library.openblas_get_corename().decode()}
    return {"name": ", ".join(libraries) or "none that is known"}


def about():
    # The library is loaded with the first product of matrices, at the latest.
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "blas": loaded_blas()}


def main():
    state = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "about":
            answer = about()
        elif request["op"] == "load":
            state = State(request)
            answer = {}
        elif request["op"] == "train":
            order = decoded(request["order"], torch.int32).long()
            start = time.process_time()
            loss = state.train(request["form"], order, request["batch"])
            answer = {"cpuSeconds": time.process_time() - start, "loss": loss}
        else:
            answer = {"parameters": base64.b64encode(state.flat()).decode()}
        print(json.dumps(answer), flush=True)


main()
