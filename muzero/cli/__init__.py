"""The commands: muzero-train, muzero-eval, muzero-report, muzero-games, muzero-tree, muzero-bench, muzero-worker."""

from muzero.cli.benchmarking import bench_command
from muzero.cli.common import guarded
from muzero.cli.evaluation import evaluate_command
from muzero.cli.listing import games_command
from muzero.cli.reading import tree_command
from muzero.cli.reporting import report_command
from muzero.cli.training import train_command
from muzero.cli.worker import worker_command

train = guarded(train_command)
evaluate = guarded(evaluate_command)
games = guarded(games_command)
report = guarded(report_command)
tree = guarded(tree_command)
bench = guarded(bench_command)
worker = guarded(worker_command)
