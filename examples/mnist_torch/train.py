"""Train a small CNN or a ResNet-18 on MNIST or CIFAR-10 with torch and torchvision.

An ordinary training script: it knows nothing of hpsearch. It uses the first GPU that it can see, if there is one.
``--dataset=fake`` takes random images with random labels (torchvision's FakeData), so that everything but the accuracy
can be tried without a download.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SUMMARY_FILE = 'performance_overview.txt'

# Dataset -> (class in torchvision.datasets, channels, height and width).
DATASETS = {'mnist': ('MNIST', 1, 28), 'cifar10': ('CIFAR10', 3, 32), 'fake': ('FakeData', 3, 32)}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out_dir', default='./out/mnist_torch', help='folder of the results; must not exist')
    parser.add_argument('--data_dir', default='./data', help='where the dataset is, or is downloaded to')
    parser.add_argument('--dataset', choices=sorted(DATASETS), default='mnist', help='fake: random, not downloaded')
    parser.add_argument('--model', choices=['cnn', 'resnet18'], default='cnn', help='network')
    parser.add_argument('--optimizer', choices=['sgd', 'adam'], default='adam', help='how weights are updated')
    parser.add_argument('--lr', type=float, default=0.001, help='learning rate')
    parser.add_argument('--momentum', type=float, default=0.0, help='momentum (sgd only)')
    parser.add_argument('--batch_size', type=int, default=128, help='images per update')
    parser.add_argument('--epochs', type=int, default=3, help='passes over the training data')
    parser.add_argument('--max_batches', type=int, default=0, help='end an epoch after so many batches; 0: all')
    parser.add_argument('--fake_size', type=int, default=1024, help='number of images of --dataset=fake')
    parser.add_argument('--no_cuda', action='store_true', help='use the CPU although there is a GPU')
    parser.add_argument('--random_seed', type=int, default=42, help='seed of weights and order')
    return parser.parse_args()


def import_libraries() -> tuple[Any, Any]:
    """Return torch and torchvision, or end with what to do about it."""
    try:
        import torch
        import torchvision
    except ImportError as error:
        raise SystemExit(
            f'{error}. This example needs torch and torchvision: see https://pytorch.org/get-started, '
            "or python3 -m pip install 'hpsearch[examples]'."
        ) from error
    return torch, torchvision


def load_dataset(torchvision: Any, args: argparse.Namespace, train: bool) -> Any:
    """Return training or test data as a torchvision dataset of tensors."""
    name, channels, side = DATASETS[args.dataset]
    dataset = getattr(torchvision.datasets, name)
    transform = torchvision.transforms.ToTensor()
    if args.dataset == 'fake':
        offset = 0 if train else args.fake_size
        return dataset(args.fake_size, (channels, side, side), 10, transform, random_offset=offset)
    return dataset(args.data_dir, train=train, transform=transform, download=True)


def make_model(torch: Any, torchvision: Any, args: argparse.Namespace) -> Any:
    """Return the network, made for the image size of the dataset."""
    _, channels, side = DATASETS[args.dataset]
    nn = torch.nn
    if args.model == 'resnet18':
        model = torchvision.models.resnet18(num_classes=10)
        # Small images: the first convolution keeps the resolution.
        model.conv1 = nn.Conv2d(channels, 64, kernel_size=3, padding=1, bias=False)
        model.maxpool = nn.Identity()
        return model
    layers = [nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 10))


def make_optimizer(torch: Any, model: Any, args: argparse.Namespace) -> Any:
    """Return the optimizer of the model's parameters."""
    if args.optimizer == 'adam':
        return torch.optim.Adam(model.parameters(), lr=args.lr)
    return torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)


def batches(loader: Iterable[Any], device: Any, limit: int) -> Iterable[tuple[Any, Any]]:
    """Yield at most ``limit`` batches (0: all) on the device."""
    for number, (images, labels) in enumerate(loader, start=1):
        yield images.to(device), labels.to(device)
        if number == limit:
            return


def train_epoch(torch: Any, model: Any, optimizer: Any, data: Iterable[tuple[Any, Any]]) -> float:
    """Train on every batch once; return the mean loss."""
    model.train()
    losses = []
    for images, labels in data:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.item()))
    return sum(losses) / len(losses)


def accuracy(torch: Any, model: Any, data: Iterable[tuple[Any, Any]]) -> float:
    """Return the share of images, in percent, that the model gets right."""
    model.eval()
    right, total = 0.0, 0
    with torch.no_grad():
        for images, labels in data:
            right += float((model(images).argmax(dim=1) == labels).sum().item())
            total += len(labels)
    return 100 * right / total


def write_summary(path: Path, results: dict[str, float]) -> None:
    """Write one line per keyword; ``finished`` comes last and says that the rest is complete."""
    lines = [f'{keyword} {value:g}\n' for keyword, value in results.items()]
    path.write_text(''.join([*lines, 'finished 1\n']))


def main() -> None:
    """Train, evaluate, and leave the results in the output folder."""
    args = parse_arguments()
    torch, torchvision = import_libraries()
    out_dir = Path(args.out_dir)
    out_dir.mkdir(parents=True)
    started = time.monotonic()
    torch.manual_seed(args.random_seed)
    device = torch.device('cuda' if torch.cuda.is_available() and not args.no_cuda else 'cpu')
    print(f'{args.model} on {args.dataset}{" (random images)" if args.dataset == "fake" else ""}, device {device}')
    loaders = [
        torch.utils.data.DataLoader(load_dataset(torchvision, args, train), args.batch_size, shuffle=train)
        for train in (True, False)
    ]
    model = make_model(torch, torchvision, args).to(device)
    optimizer = make_optimizer(torch, model, args)
    loss = float('nan')
    for epoch in range(1, args.epochs + 1):
        loss = train_epoch(torch, model, optimizer, batches(loaders[0], device, args.max_batches))
        print(f'epoch {epoch}: training loss {loss:.4f}', flush=True)
    acc_test = accuracy(torch, model, batches(loaders[1], device, args.max_batches))
    seconds = time.monotonic() - started
    results = {'acc_test': acc_test, 'loss_train': loss, 'num_epochs': args.epochs, 'seconds': seconds}
    write_summary(out_dir / SUMMARY_FILE, results)
    print(f'test accuracy {acc_test:.2f} %')


if __name__ == '__main__':
    main()
