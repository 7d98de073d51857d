"""A model of built-in layers <-> the same model of ours.

The model's config is rewritten, layer by layer, and Keras rebuilds the model from it: so the
topology, shared layers, wrappers and nested models are Keras's own affair. Layers that a subclass
makes in its constructor, and keeps as attributes, aren't in a config; they are replaced where they
hang. Then weights, trainable flags and the compiled state are carried over.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_convkit import layers
from keras_convkit.files import write_atomically

PACKAGE = "keras_convkit"
OURS: dict[str, type] = {name: getattr(layers, name) for name in layers.__all__}
BUILT_IN: dict[str, type] = {
    name: getattr(keras.layers, name) for name in OURS if hasattr(keras.layers, name)
}


def convert(model: Any, *, strict: bool = True) -> Any:
    """Gives the same model with layers of this package in place of built-in Keras ones.

    The new model has weights of its own, equal to those of `model`, which stays as it is. Names,
    topology, shared layers, trainable flags, dtype policies and the compiled state (loss, metrics,
    the optimizer with its variables) are carried over. Layers inside wrappers (`TimeDistributed`,
    `Bidirectional`, …) and nested models are converted as well; so are those that a subclassed
    model or layer makes in its constructor and keeps as attributes, in lists or in dictionaries.

    Args:
        model: A `keras.Model`, or a single `keras.layers.Layer`.
        strict: Whether to raise if there is a layer that would have to be converted and can't be:
            a subclass of a built-in layer, or one with options that ours refuse. With
            `strict=False` such a layer stays as it is.

    Returns:
        The converted model or layer.

    Raises:
        TypeError: If `model` isn't a Keras model or layer.
        ValueError: If a layer can't be converted (`strict=True`), or if Keras can't rebuild the
            model from its config. The message names each layer and says why.

    Example:

    >>> import keras
    >>> import keras_convkit as kc
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    >>> [type(layer).__module__ for layer in kc.convert(model).layers]
    ['keras_convkit.layers.conv']
    """
    return _Conversion("convert", BUILT_IN, OURS, strict).apply(model)


def to_builtin(model: Any, *, strict: bool = True) -> Any:
    """Gives the same model with built-in Keras layers in place of those of this package.

    The way back from `convert`, and as careful: see there what is carried over. The numbers are the
    same wherever the built-in layer computes the call rightly (README, "What the built-in layers
    get wrong").

    Args:
        model: A `keras.Model`, or a single `keras.layers.Layer`.
        strict: Whether to raise if a layer has options that Keras's lacks, or has no counterpart in
            Keras. With `strict=False` such a layer stays as it is.

    Returns:
        The model or layer, built of `keras.layers`.

    Raises:
        TypeError: If `model` isn't a Keras model or layer.
        ValueError: If a layer can't be expressed (`strict=True`), or if Keras can't rebuild the
            model from its config. The message names each layer and says why.

    Example:

    >>> import keras
    >>> import keras_convkit as kc
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), kc.Conv2D(4, 3)])
    >>> type(kc.to_builtin(model).layers[0]) is keras.layers.Conv2D
    True
    """
    return _Conversion("to_builtin", OURS, BUILT_IN, strict).apply(model)


def changed_layers(before: Any, after: Any) -> Counter[str]:
    """Counts, by class name, the layers of `before` whose class is another one in `after`."""
    pairs = zip(_all_layers(before), _all_layers(after), strict=True)
    return Counter(type(a).__name__ for a, b in pairs if type(a) is not type(b))


def convert_file(
    source: Path, target: Path, function: Any = convert, *, strict: bool = True, safe: bool = True
) -> Counter[str]:
    """Reads a `.keras` file, converts its model, and writes the whole file or none.

    Args:
        source: The file to read.
        target: The file to write; it may be the same.
        function: `convert` or `to_builtin`.
        strict: As these take it.
        safe: Whether Keras refuses files that bring code of their own (`Lambda` layers).

    Returns:
        How many layers of which class have changed.
    """
    model = keras.saving.load_model(source, safe_mode=safe)
    converted = function(model, strict=strict)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "model.keras"
        converted.save(saved)
        with saved.open("rb") as content:
            write_atomically(target, lambda file: shutil.copyfileobj(content, file))
    return changed_layers(model, converted)


class _Conversion:
    """One direction: the classes that it takes, and those that it gives."""

    def __init__(
        self, function: str, sources: dict[str, type], targets: dict[str, type], strict: bool
    ) -> None:
        self.owner = f"{PACKAGE}.{function}"
        self.sources = sources
        self.targets = targets
        self.strict = strict
        # The live layers that stay as they are though they belong to a family, by identity.
        self.kept: dict[int, Any] = {}
        # What was made out of which layer, so that a layer that hangs in two places stays one.
        self.replaced: dict[int, Any] = {}
        # The layers of the model by name, and what of the user's own their configs refer to.
        self.live: dict[str, Any] = {}
        self.custom_objects: dict[str, Any] = {}
        # What has been gone through, by identity.
        self.seen: dict[int, Any] = {}

    def apply(self, model: Any) -> Any:
        if not isinstance(model, keras.layers.Layer):
            raise TypeError(
                f"{self.owner}: `model` must be a Keras model or layer. "
                f"Received: model={model!r} of type {type(model).__name__}"
            )
        layers = _all_layers(model)
        self.live = {layer.name: layer for layer in layers}
        self.custom_objects = _custom_objects(layers)
        self._look_for_obstacles(layers)
        converted = self._rebuilt(model)
        self._replace_attributes(model, converted)
        self._look_for_what_stayed(converted)
        _carry_state(model, converted, self.owner)
        with keras.saving.CustomObjectScope(self.custom_objects):
            _carry_compilation(model, converted, self.owner)
        return converted

    def _is_source(self, layer: Any) -> bool:
        return type(layer) in self.sources.values() and id(layer) not in self.kept

    def _look_for_obstacles(self, layers: list[Any]) -> None:
        obstacles = []
        for layer in layers:
            if reason := self._obstacle(layer):
                self.kept[id(layer)] = layer
                obstacles.append(f"  {type(layer).__name__} {layer.name!r}: {reason}")
        if obstacles and self.strict:
            raise ValueError(
                f"{self.owner}: these layers can't be converted (strict=False leaves them as they "
                "are):\n" + "\n".join(obstacles)
            )

    def _obstacle(self, layer: Any) -> str | None:
        """Why a layer of these families can't be converted, or `None`."""
        family = next((c for c in self.sources.values() if isinstance(layer, c)), None)
        if family is None:
            return None
        if type(layer) is not family:
            return f"a subclass of {family.__name__}, whose own methods would be lost"
        target = self.targets.get(family.__name__)
        if target is None:
            return "keras.layers has no such layer"
        if self.targets is BUILT_IN and (reason := _beyond_built_in(layer, target)):
            return reason
        try:
            self._from_config(layer)
        except (TypeError, ValueError) as error:
            # What the constructor said, out of what Keras says around it.
            return str(error).rpartition("Exception encountered: ")[2]
        return None

    def _rebuilt(self, layer: Any) -> Any:
        """`layer` from its config, in which every source has become its target."""
        try:
            return self._from_config(layer)
        except Exception as error:
            raise ValueError(
                f"{self.owner}: Keras can't rebuild {type(layer).__name__} {layer.name!r} from its "
                f"config, so nothing was converted: {error}"
            ) from error

    def _from_config(self, layer: Any) -> Any:
        with warnings.catch_warnings():
            # The code in it was running in this process already.
            warnings.filterwarnings("ignore", ".*includes a `lambda`")
            config = self._swapped(keras.saving.serialize_keras_object(layer))
        config.pop("compile_config", None)
        with keras.saving.CustomObjectScope(self.custom_objects):
            return keras.saving.deserialize_keras_object(config, safe_mode=False)

    def _swapped(self, node: Any) -> Any:
        """The serialized object with the class of each source in it replaced by the target's."""
        if isinstance(node, (list, tuple)):
            return type(node)(map(self._swapped, node))
        if not isinstance(node, dict):
            return node
        node = {key: self._swapped(value) for key, value in node.items()}
        self._keep_lambdas(node.get("config"))
        name = node.get("class_name")
        if isinstance(name, str) and name in self.sources and name in self.targets:
            source = _identity(self.sources[name])
            kept = any(node["config"].get("name") == layer.name for layer in self.kept.values())
            if not kept and all(node.get(key) == value for key, value in source.items()):
                node.update(_identity(self.targets[name]))
        return node

    def _keep_lambdas(self, config: Any) -> None:
        """Has the layer of this config take the lambda that it has; its code alone is too little.

        A function rebuilt from its code has lost the names around it.
        """
        layer = self.live.get(config.get("name")) if isinstance(config, dict) else None
        for key in config if layer is not None else ():
            function = getattr(layer, key, None)
            if inspect.isfunction(function) and function.__name__ == "<lambda>":
                name = f"{PACKAGE}_lambda_{len(self.custom_objects)}"
                self.custom_objects[name] = function
                config[key] = {
                    "module": "builtins",
                    "class_name": "function",
                    "config": name,
                    "registered_name": name,
                }

    def _replace_attributes(self, old: Any, new: Any) -> None:
        """Replaces the sources that hang on attributes of `new`, at any depth.

        `old` is what `new` was rebuilt from: its layers have the names and the configs, where those
        that a constructor makes have been given new ones.
        """
        if id(old) in self.seen:
            return
        self.seen[id(old)] = old
        if _is_graph(old):
            layers = {layer.name: layer for layer in new.layers}
            for layer in old.layers:
                self._replace_attributes(layer, layers[layer.name])
            return
        if _is_functional(old):
            return  # its constructor has drawn the graph already, with the layers that it made
        before = _attributes(old)
        for name, value in _attributes(new).items():
            replacement = self._replacement(new, before.get(name), value)
            if replacement is not value:
                setattr(new, name, replacement)

    def _replacement(self, parent: Any, old: Any, new: Any) -> Any:
        """What shall stand for `new`: another layer, or a container of others."""
        if isinstance(new, keras.layers.Layer):
            return self._layer_replacement(parent, old, new)
        if isinstance(new, dict) and isinstance(old, dict):
            by_key = {key: self._replacement(parent, old.get(key), new[key]) for key in new}
            return by_key if any(by_key[key] is not new[key] for key in new) else new
        if isinstance(new, (list, tuple)) and isinstance(old, (list, tuple)):
            pairs = zip(old, new, strict=False)
            items = [self._replacement(parent, *pair) for pair in pairs]
            if all(a is b for a, b in zip(items, new, strict=False)):
                return new
            return tuple(items) if isinstance(new, tuple) else items
        return new

    def _layer_replacement(self, parent: Any, old: Any, new: Any) -> Any:
        if id(old) in self.replaced:
            replacement = self.replaced[id(old)]
        elif type(old) is not type(new) and old.name == new.name:
            return new  # its config was in its parent's
        elif self._is_source(old) or (
            _is_graph(old) and any(map(self._is_source, _all_layers(old)))
        ):
            replacement = self.replaced[id(old)] = self._rebuilt(old)
            self._replace_attributes(old, replacement)
        else:
            new.name = old.name  # that a constructor had made up anew
            self._replace_attributes(old, new)
            return new
        # In its place, so that the order of the weights stays; assigned only, the layer before it
        # would stay tracked, and a parent that is built takes no more.
        if parent._tracker.is_in_store("layers", new):
            parent._tracker.replace_tracked_value("layers", new, replacement)
        return replacement

    def _look_for_what_stayed(self, converted: Any) -> None:
        """A model's constructor may draw a graph of layers that it makes."""
        kept = {layer.name for layer in self.kept.values()}
        stayed = [
            f"{type(layer).__name__} {layer.name!r}"
            for layer in _all_layers(converted)
            if type(layer) in self.sources.values() and layer.name not in kept
        ]
        if stayed and self.strict:
            raise ValueError(
                f"{self.owner}: {type(converted).__name__} has a graph that a constructor draws, "
                "with layers that it makes; these can't be converted (strict=False leaves them as "
                f"they are): {', '.join(stayed)}"
            )


def _all_layers(model: Any) -> list[Any]:
    """`model` and all layers in it, each once."""
    return list(model._flatten_layers())


def _is_graph(layer: Any) -> bool:
    """Whether the config of `layer` holds the layers in it: functional and Sequential models."""
    if isinstance(layer, keras.Sequential):
        return True
    return _is_functional(layer) and "layers" in layer.get_config()


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and hasattr(layer, "operations")


def _attributes(layer: Any) -> dict[str, Any]:
    """What hangs on a layer; on torch, where layers are modules, sublayers hang elsewhere.

    Keras's own lists of sublayers are left out: they follow the attributes.
    """
    found = {**vars(layer), **vars(layer).get("_modules", {})}
    own = ("_layers", "_modules", "_tracker", "_metrics", "_loss_tracker", "_torch_params")
    return {name: value for name, value in found.items() if name not in own}


def _identity(cls: type) -> dict[str, Any]:
    """How a serialized object names its class."""
    if cls in BUILT_IN.values():
        return {"module": "keras.layers", "class_name": cls.__name__, "registered_name": None}
    return {
        "module": cls.__module__,
        "class_name": cls.__name__,
        "registered_name": keras.saving.get_registered_name(cls),
    }


def _beyond_built_in(layer: Any, target: type) -> str | None:
    """The options of one of our layers that the built-in one lacks, in words, or `None`."""
    config = layer.get_config()
    known = inspect.signature(target).parameters
    unknown = [
        f"{name}={config[name]!r}" for name in layer.added_defaults if name in config.keys() - known
    ]
    if unknown:
        return f"keras.layers.{target.__name__} has no {', '.join(unknown)}"
    words = ("valid", "same", "causal") if target is keras.layers.Conv1D else ("valid", "same")
    if hasattr(layer, "strides") and config["padding"] not in words:
        return f"keras.layers.{target.__name__} has no padding={config['padding']!r}"
    methods = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    if config.get("interpolation", "nearest") not in methods:
        return (
            f"keras.layers.{target.__name__} has no interpolation={config['interpolation']!r}, "
            "only " + ", ".join(map(repr, methods))
        )
    return None


def _custom_objects(layers: list[Any]) -> dict[str, Any]:
    """The user's own classes and functions that the layers are made of, by name.

    They needn't be registered: they are here.
    """
    found: dict[str, Any] = {}
    for item in [*layers, *(value for layer in layers for value in vars(layer).values())]:
        named = item if inspect.isfunction(item) else type(item)
        own = not (named.__module__ or "").startswith(("keras.", f"{PACKAGE}.", "builtins"))
        if own and (inspect.isfunction(item) or hasattr(item, "get_config")):
            found.setdefault(named.__name__, named)
    return found


def _carry_state(model: Any, converted: Any, owner: str) -> None:
    """Trainable flags, weights and the state of random generators."""
    layers = zip(_all_layers(model), _all_layers(converted), strict=True)
    for old, new in layers:  # a model before what is in it: its flag would be handed down
        if new.trainable != old.trainable:
            new.trainable = old.trainable
        if "_torch_params" in vars(new).get("_modules", {}):
            new._track_variables()  # on torch, a module's list of parameters
    old_variables, new_variables = model.variables, converted.variables
    if [tuple(v.shape) for v in old_variables] != [tuple(v.shape) for v in new_variables]:
        raise ValueError(
            f"{owner}: {type(model).__name__} {model.name!r} was rebuilt with other variables than "
            f"it had: {[v.path for v in new_variables]} for {[v.path for v in old_variables]}"
        )
    _copy(old_variables, new_variables)


def _copy(old_variables: list[Any], new_variables: list[Any]) -> None:
    """Values in memory of their own: JAX's trainer gives away that of the model it trains."""
    for old, new in zip(old_variables, new_variables, strict=True):
        new.assign(np.array(keras.ops.convert_to_numpy(old), copy=True))


def _carry_compilation(model: Any, converted: Any, owner: str) -> None:
    """Loss, metrics and the optimizer, with its variables, where Keras can rebuild them."""
    if not getattr(model, "compiled", False):
        return
    try:
        converted.compile_from_config(model.get_compile_config())
    except Exception as error:
        warnings.warn(
            f"{owner}: Keras can't rebuild what the model was compiled with; call `compile` on the "
            f"converted one: {error}",
            stacklevel=4,
        )
        return
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built:
        return
    if not converted.optimizer.built:
        converted.optimizer.build(converted.trainable_variables)
    _copy(optimizer.variables, converted.optimizer.variables)
