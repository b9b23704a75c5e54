"""nnU-Net v2 in the plane, planned by itself: network, patch, loss, augmentation, schedule and mirrored prediction are its own.

What is changed: the number of epochs and of iterations in them; no pictures or checkpoints are written while it trains; its data
loader works within the process; where the job says so, a smaller batch than planned, or arithmetic in bfloat16. Nothing is held
out: it learns from every training case. Its planning and preprocessing come before, and are not counted.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprint_dataset,
    plan_experiment_dataset,
    preprocess_dataset,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from PIL import Image as Picture

from benchmarks.train.contest import Array, Clock, Job, answer, given_job, peak_mib

NUMBER = 1
NAME = "Dataset001_cases"


class Trainer(nnUNetTrainer):
    """Its trainer with the length of the job."""

    job: Job
    clock: Clock

    def take(self, job: Job) -> None:
        """Take the length from a job; its constructor may not have a parameter more."""
        self.job = job
        self.num_epochs = job.rounds
        self.num_iterations_per_epoch = job.options["steps"]
        self.num_val_iterations_per_epoch = 1
        self.disable_checkpointing = True

    def run_training(self) -> None:
        self.on_train_start()
        self.clock = Clock()
        for _ in range(self.num_epochs):
            self.on_epoch_start()
            self.on_train_epoch_start()
            self.on_train_epoch_end([self.train_step(next(self.dataloader_train)) for _ in range(self.num_iterations_per_epoch)])
            self.current_epoch += 1
            self.clock.mark()
            print(self.current_epoch, self.logger.get_value("train_losses", step=-1), flush=True)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        if self.job.options["precision"] != "bfloat16":
            return dict(super().train_step(batch))
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = self.network(batch["data"])
        loss = self.loss([o.float() for o in output], batch["target"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
        self.optimizer.step()
        return {"loss": loss.detach().numpy()}


def main() -> None:
    job = given_job()
    torch.set_num_threads(1)
    if "--prepare" in sys.argv:
        _prepare(job)
        return
    random.seed(job.seed)
    np.random.seed(job.seed)  # noqa: NPY002  # its loader draws from the old global generator
    torch.manual_seed(job.seed)
    folder = _home("preprocessed") / NAME
    plans, dataset = (json.loads((folder / name).read_text()) for name in ("nnUNetPlans.json", "dataset.json"))
    if job.options["batch"]:
        plans["configurations"]["2d"]["batch_size"] = job.options["batch"]
    trainer = Trainer(plans | {"continue_training": False}, "2d", 0, dataset, torch.device("cpu"))
    trainer.take(job)
    trainer.run_training()
    peak, before = peak_mib(), time.process_time()
    fold = job.fold()
    found = _predictions(job, trainer, fold["test"] if job.predict else [])
    answer(
        job, trainer.clock, found, steps=job.rounds * trainer.num_iterations_per_epoch, batch=trainer.batch_size, peak_mib=peak,
        parameters=sum(p.numel() for p in trainer.network.parameters()), predict=time.process_time() - before,
    )  # fmt: skip


def _home(part: str) -> Path:
    """Return a folder that the environment names, as nnU-Net asks for it."""
    return Path(os.environ[f"nnUNet_{part}"])


def _prepare(job: Job) -> None:
    """Write the training cases in its layout, plan and preprocess them."""
    fold, raw = job.fold(), _home("raw") / NAME
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True, exist_ok=True)
    channels, most = 1, 1
    for case in fold["train"]:
        image, truth = job.image(case), job.truth(case)
        channels, most = len(image), max(most, int(truth.max()))
        for k, channel in enumerate(image):
            Picture.fromarray(channel).save(raw / "imagesTr" / f"case{case:03d}_{k:04d}.png")
        Picture.fromarray(truth.astype(np.uint8)).save(raw / "labelsTr" / f"case{case:03d}.png")
    dataset = {
        "channel_names": {str(k): f"channel {k}" for k in range(channels)},
        "labels": {"background": 0} | {f"class {k}": k for k in range(1, most + 1)},
        "numTraining": len(fold["train"]),
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(dataset, indent=1) + "\n", encoding="utf-8")
    extract_fingerprint_dataset(NUMBER, num_processes=1, show_progress_bar=False)
    plan_experiment_dataset(NUMBER)
    preprocess_dataset(NUMBER, configurations=["2d"], num_processes=[1], show_progress_bar=False)
    names = [f"case{k:03d}" for k in fold["train"]]
    splits = [{"train": names, "val": [f"case{k:03d}" for k in fold["held"]]}]  # its loader wants some; they decide nothing
    (_home("preprocessed") / NAME / "splits_final.json").write_text(json.dumps(splits), encoding="utf-8")


def _predictions(job: Job, trainer: Trainer, cases: list[int]) -> dict[int, Array]:
    """Return the labels of cases, averaged over its mirrored copies as it does by default."""
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network, trainer.plans_manager, trainer.configuration_manager, [trainer.network.state_dict()],
        trainer.dataset_json, "Trainer", trainer.inference_allowed_mirroring_axes,
    )  # fmt: skip
    found = {}
    for case in cases:
        image = job.image(case).astype(np.float32)[:, None]
        labels = predictor.predict_single_npy_array(image, {"spacing": (999.0, 1.0, 1.0)})
        found[case] = np.asarray(labels).reshape(image.shape[-2:])
    return found


if __name__ == "__main__":
    main()
