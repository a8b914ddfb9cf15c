exports.message = 'first version';
