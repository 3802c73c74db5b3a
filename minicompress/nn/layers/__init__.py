"""The layers, with PyTorch's names and arguments."""

from .activation import Dropout as Dropout
from .activation import Identity as Identity
from .activation import ReLU as ReLU
from .channel_shuffle import ChannelShuffle as ChannelShuffle
from .containers import Add as Add
from .containers import Concatenate as Concatenate
from .containers import Sequential as Sequential
from .normalisation import BatchNorm1d as BatchNorm1d
from .normalisation import BatchNorm2d as BatchNorm2d
from .pooling import AvgPool2d as AvgPool2d
from .pooling import Flatten as Flatten
from .pooling import ImageInput as ImageInput
from .pooling import MaxPool2d as MaxPool2d
from .weighted import Conv2d as Conv2d
from .weighted import Linear as Linear
