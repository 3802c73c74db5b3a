"""Measures, to the letter, on lists: classification, compression ratio, multiply-accumulates and parameters."""


def confusion(predictions, labels, num_classes):
    """(ME-1) How often each true class (row) was predicted as each class (column).

    >>> confusion([0, 1, 1], [0, 0, 1], 2)
    [[1, 1], [0, 1]]
    """
    table = [[0] * num_classes for _ in range(num_classes)]
    for predicted, true in zip(predictions, labels, strict=True):
        table[true][predicted] += 1
    return table


def accuracy(predictions, labels):
    """(ME-1) The share of right predictions.

    >>> accuracy([0, 1, 1, 1], [0, 0, 1, 1])
    0.75
    """
    right = 0
    for predicted, true in zip(predictions, labels, strict=True):
        if predicted == true:
            right += 1
    return right / len(labels)


def precision_recall_f1(predictions, labels, c):
    """(ME-1) Of class c: TP/(TP + FP), TP/(TP + FN), and their harmonic mean 2PR/(P + R); 0/0 is defined as 0.

    >>> precision_recall_f1([0, 1, 1, 1], [0, 0, 1, 1], 0)
    (1.0, 0.5, 0.6666666666666666)
    """
    true_positive = false_positive = false_negative = 0
    for predicted, true in zip(predictions, labels, strict=True):
        if predicted == c and true == c:
            true_positive += 1
        elif predicted == c:
            false_positive += 1
        elif true == c:
            false_negative += 1
    precision = true_positive / (true_positive + false_positive) if true_positive else 0.0
    recall = true_positive / (true_positive + false_negative) if true_positive else 0.0
    f1 = 2 * precision * recall / (precision + recall) if true_positive else 0.0
    return precision, recall, f1


def macro_f1(predictions, labels, num_classes):
    """(ME-1) The mean of the classes' F1: not the harmonic mean of macro precision and macro recall.

    >>> macro_f1([0, 1, 1, 1], [0, 0, 1, 1], 2)
    0.7333333333333334
    """
    total = 0.0
    for c in range(num_classes):
        total += precision_recall_f1(predictions, labels, c)[2]
    return total / num_classes


def compression_ratio(dense_bytes, compressed_bytes):
    """(ME-2) Bytes of the original model's dense float32 file / bytes of the compressed file, both real files.

    >>> compression_ratio(1_067_000, 26_675)
    40.0
    """
    return dense_bytes / compressed_bytes


def linear_macs(out_features, in_features):
    """(ME-3) Multiply-accumulates of y_o = Σ_i W_oi x_i for one example, counted one by one.

    >>> linear_macs(10, 84)
    840
    """
    macs = 0
    for _o in range(out_features):
        for _i in range(in_features):
            macs += 1
    return macs


def conv2d_macs(out_channels, in_channels, kernel, size, stride=1, padding=0, groups=1):
    """(ME-3) Multiply-accumulates of a square convolution for one example, padding's zeros included, one by one.

    Each of the out_channels reads in_channels/groups channels.

    >>> conv2d_macs(2, 3, 3, 5)
    486
    """
    macs = 0
    for _f in range(out_channels):
        for _y in range(0, size + 2 * padding - kernel + 1, stride):
            for _x in range(0, size + 2 * padding - kernel + 1, stride):
                for _c in range(in_channels // groups):
                    for _dy in range(kernel):
                        for _dx in range(kernel):
                            macs += 1
    return macs


def parameters(layers):
    """(ME-3) (weights, weights and biases) of a chain of layers, each given as (outputs, inputs read by one output).

    >>> parameters([(300, 784), (100, 300), (10, 100)])
    (266200, 266610)
    >>> parameters([(20, 1 * 5 * 5), (50, 20 * 5 * 5), (500, 50 * 4 * 4), (10, 500)])
    (430500, 431080)
    """
    weights = biases = 0
    for outputs, inputs in layers:
        weights += outputs * inputs
        biases += outputs
    return weights, weights + biases
