// Nothing of what a prefix needs: the defaults are what is tested.
export default {devIndicators: false};
