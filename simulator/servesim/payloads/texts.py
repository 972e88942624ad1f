"""Every text that a client of the scoring layer sees, each beside the evidence for it.

`recorded`: taken from answers of the MLflow 3.17.2 scoring server over HTTP. `observed`: the same functions of
MLflow, run in process by the tests. `chosen`: ours, where MLflow answers something no client should rely on or
where this package does less than MLflow.
"""

from typing import Final, Literal, NamedTuple

Evidence = Literal["recorded", "observed", "chosen"]


class Text(NamedTuple):
    """A format string for `str.format` and how it is known."""

    template: str
    evidence: Evidence = "recorded"


# MLflow prints a Python set here, so its order follows the hash seed of the server process. One order is kept.
REQUIRED_FORMAT: Final = (
    "The input must be a JSON dictionary with exactly one of the input fields "
    "{{'inputs', 'instances', 'dataframe_records', 'dataframe_split'}}"
)
PROTOCOL_CHANGED: Final = (
    "IMPORTANT: The MLflow Model scoring protocol has changed in MLflow version 2.0. If you are seeing this error, "
    "you are likely using an outdated scoring request format. To resolve the error, either update your request "
    "format or adjust your MLflow Model's requirements file to specify an older version of MLflow (for example, "
    "change the 'mlflow' requirement specifier to 'mlflow==1.30.0'). If you are making a request using the MLflow "
    "client (e.g. via `mlflow.pyfunc.spark_udf()`), upgrade your MLflow client to a version >= 2.0 in order to use "
    "the new request format. For more information about the updated MLflow Model scoring protocol in MLflow 2.0, "
    "see https://mlflow.org/docs/latest/models.html#deploy-mlflow-models."
)

# Content type
INTERNAL_SERVER_ERROR: Final = Text("Internal Server Error")
ONLY_UTF8: Final = Text("The scoring server only supports UTF-8")
UNKNOWN_PARAMETERS: Final = Text("Unrecognized content type parameters: {names}. " + PROTOCOL_CHANGED)
UNKNOWN_TYPE: Final = Text("This predictor only supports the following content types: Types: {types}. Got '{got}'.")
PARQUET_NEEDS_MLFLOW: Final = Text(
    "Parquet bodies are read only for real models, by the `mlflow` extra: pip install 'servesim[mlflow]'.", "chosen"
)

# JSON
NOT_JSON: Final = Text(
    "Invalid input. Ensure that input is a valid JSON formatted string. Error: '{error}'\nInput: \n{body}\n"
)
# MLflow 3.17.2 answers a plain 500 here, because the parser's RecursionError and ValueError are not caught.
UNREADABLE_JSON: Final = Text(NOT_JSON.template, "chosen")
JSON_IS_LIST: Final = Text("Invalid input. " + REQUIRED_FORMAT + ". Received a list.")
JSON_IS_SCALAR: Final = Text("Invalid input. " + REQUIRED_FORMAT + ". Received unexpected input type '<class '{got}'>.")
NOT_ONE_FORMAT: Final = Text(REQUIRED_FORMAT + ". Received dictionary with input fields: {fields}. " + PROTOCOL_CHANGED)

# Tables
RECORDS_NOT_LIST: Final = Text("Invalid input. Dataframe records format must be a list of records. Got {got}.")
RECORDS_INVALID: Final = Text(
    "Invalid input. Provided dataframe_records field is not a valid dataframe representation in 'records' format. "
    "Error: '{error}'"
)
SPLIT_NOT_DICT: Final = Text("Invalid input. Dataframe split format must be a dictionary. Got {got}.")
SPLIT_KEYS: Final = Text(
    "Invalid input. Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. "
    "Got {keys}.'"
)
SPLIT_INVALID: Final = Text(
    "Invalid input. Provided dataframe_split field is not a valid dataframe representation in 'split' format. "
    "Error: '{error}'"
)
NOT_UTF8: Final = Text("Invalid input. Ensure that input is a valid UTF-8 encoded string. Error: '{error}'")
CSV_INVALID: Final = Text(
    "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid CSV-formatted Pandas DataFrame "
    "produced using the `pandas.DataFrame.to_csv()` method. Error: '{error}'"
)

# Ours: pandas would fill in as many as the memory holds.
TABLE_GROWS: Final = Text(
    "Invalid input. The table would have {cells:,} cells, but only {sent:,} were sent; servesim does not fill in or repeat so many. Send rows of equal length with the same columns, or fewer at once.",
    "chosen",
)
NAMES_GROW: Final = Text(
    "Invalid input. The column names, written for each row, would come to {size:,} characters; a stub answers with at most {limit:,}. Send fewer rows at once, or shorter names.",
    "chosen",
)

# Instances and inputs
ARRAY_INVALID: Final = Text("Invalid input. {error}")
ARRAY_RAGGED: Final = (
    "setting an array element with a sequence. The requested array has an inhomogeneous shape after {dims} "
    "dimensions. The detected shape was {shape} + inhomogeneous part."
)
ARRAY_TOO_DEEP: Final = (
    "setting an array element with a sequence. The requested array would exceed the maximum number of dimension of 64."
)
UNEVEN_INSTANCES: Final = Text("Invalid input. The length of values for each input/column name are not the same")
MIXED_INSTANCES: Final = Text(
    "Invalid input. Ensure that the input is a valid JSON-formatted string.\nError: {error}", "observed"
)
UNNAMED_WANTS_ARRAY: Final = Text(
    "Invalid input. Failed to parse input data. This model contains an un-named  model signature which expects a "
    "single n-dimensional array or a single value as input, however, an input of type <class '{got}'> was found."
)
VALUE_INVALID: Final = Text(
    "Invalid input. Failed to convert data `{value}` to type `{spec}` defined in the model signature.", "observed"
)

# Signature
CAST_FAILED: Final = Text(
    "Invalid input. Data is not compatible with model signature. Failed to convert column {name} to type '{dtype}'. "
    "Error: '{error}'"
)
SCHEMA_FAILED: Final = Text(
    "Failed to predict data '{data}'. \nError: Failed to enforce schema of data '{data}' with schema '{schema}'. "
    "Error: {error}"
)
INCOMPATIBLE: Final = "Incompatible input types for column {name}. Can not safely convert {held} to {dtype}."
INTEGER_HINT: Final = (
    " Hint: the type mismatch is likely caused by missing values. Integer columns in python can not represent missing "
    "values and are therefore encoded as floats. The best way to avoid this problem is to infer the model schema based "
    "on a realistic data sample (training dataset) that includes missing values. Alternatively, you can declare "
    "integer columns as doubles (float64) whenever these columns may have missing values. See `Handling Integers With "
    "Missing Values <https://www.mlflow.org/docs/latest/models.html#handling-integers-with-missing-values>`_ for more "
    "details."
)
NOT_NUMBERS: Final = "Failed to convert column  from type object to DataType.double."
ZONED: Final = "Please ensure that the input data of datetime column only contains timezone-naive datetime objects."
NON_FINITE: Final = (
    "Cannot convert non-finite values (NA or inf) to integer. Replace or remove non-finite values or cast to an "
    "integer type that supports these values (e.g. 'Int64')"
)
PREDICT_FAILED: Final = Text("Failed to predict data '{data}'. \nError: {error}")
SIGNATURE_NEEDS_MLFLOW: Final = Text(
    "servesim does not check this model signature: {what}. Serve the model itself with the `mlflow` extra: "
    "pip install 'servesim[mlflow]'.",
    "chosen",
)

# Model
MODEL_RAISED: Final = Text(
    "Encountered an unexpected error while evaluating the model. Verify that the serialized input Dataframe is "
    "compatible with the model for inference."
)
