"""What the scoring servers of MLflow 1.x to 2.9 say when they refuse, where it differs from what stands in ``texts``.

`recorded`: from answers of the scoring servers of MLflow 1.30.1 and 2.x. `observed`: read in the releases of the
versions named.
"""

from typing import Final

from servesim.payloads.texts import Text

UNCAUGHT: Final = Text("Internal Server Error", "chosen")  # a page of HTML until 2.20
UNKNOWN_TYPE: Final = Text(
    "This predictor only supports the following content types and formats: Types: ['text/csv', 'application/json', "
    "'application/json-numpy-split']; Formats: ['pandas-records', 'pandas-split']. Got '{got}'."
)
UNKNOWN_TYPE_EXACT: Final = Text(
    "This predictor only supports the following content types, ['text/csv', 'application/json', "
    "'application/json; format=pandas-records', 'application/json; format=pandas-split', "
    "'application/json-numpy-split']. Got '{got}'.",
    "observed",  # 1.8.0 to 1.19.0
)
NOT_JSON: Final = Text("Failed to parse input from JSON. Ensure that input is a valid JSON formatted string.")
NOT_A_CONTAINER: Final = Text("Failed to parse input from JSON. Ensure that input is a valid JSON list or dictionary.")
NOT_A_FRAME: Final = Text(
    "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid JSON-formatted Pandas DataFrame "
    "with the `{orient}` orient produced using the `pandas.DataFrame.to_json(..., orient='{orient}')` method."
)
NOT_CSV: Final = Text(
    "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid CSV-formatted Pandas DataFrame "
    "produced using the `pandas.DataFrame.to_csv()` method."
)
NOT_NUMPY: Final = Text(
    "Failed to parse input as a Numpy. Ensure that the input is a valid JSON-formatted Pandas DataFrame with the split "
    "orient produced using the `pandas.DataFrame.to_json(..., orient='split')` method."
)
SIGNATURE_NAME: Final = Text('Failed to parse data as TF serving input. "signature_name" is currently not supported.')
NOT_ONE_KEY: Final = Text(
    'Failed to parse data as TF serving input. One of "instances" and "inputs" must be specified (not both or any '
    "other keys)."
)
NOT_TENSORS: Final = Text(
    "Failed to parse data as TF serving input. Ensure that the input is a valid JSON-formatted string that conforms to "
    "the request body for TF serving's Predict API as documented at "
    "https://www.tensorflow.org/tfx/serving/api_rest#request_format_2"
)
UNEVEN: Final = Text(
    "Failed to parse data as TF serving input. The length of values for each input/column name are not the same"
)
NOT_CONVERTED: Final = Text("Failed to convert column {name} from type object to DataType.{kind}.")
